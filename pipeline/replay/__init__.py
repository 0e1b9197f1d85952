"""Read the past without side effects: nothing here publishes, joins a group or commits an offset."""
