"""Names to compare with."""
