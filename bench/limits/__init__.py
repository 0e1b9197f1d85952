"""`limits`: campaigns of hours in virtual time, through the messenger's own parts."""
