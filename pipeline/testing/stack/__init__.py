"""The real stack under a test: an embedded Kafka and Redis, and a worker process with the test's handler."""
