"""Campaigns while messengers are killed, moved and frozen, each number at its limit: `python -m chaos.sends`."""
