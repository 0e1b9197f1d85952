"""The intake chain of one process: consume, parse, deduplicate, route, produce, every acknowledgement awaited."""
