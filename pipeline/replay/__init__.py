"""Reading the past without acting on it: nothing here publishes, joins a group or moves an offset."""
