"""The interfaces that applications name in their annotations."""
