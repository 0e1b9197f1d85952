"""Events and their parts."""
