"""What others get while somebody is slow, broken or busy: the time from input to effect, crowded and idle."""
