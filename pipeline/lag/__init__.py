"""The lag of all apps, as a process of its own sees it: from Kafka, and from what the workers say they hold."""
