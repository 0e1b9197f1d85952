"""What handlers are given, and its parts."""
