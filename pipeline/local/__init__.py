"""The embedded stack: Kafka, Redis and the pipeline's own processes on one machine."""
