"""What each worker holds in memory while a million records wait for it: the backlog stays in Kafka."""
