"""The types of messages."""
