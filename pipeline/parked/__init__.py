"""The parked records of all workers, by key."""
