"""The memory of each worker while a million records wait: the backlog stays in Kafka."""
