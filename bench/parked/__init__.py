"""Millions of commands of one account that is away: how they are parked, and how a killed worker comes back."""
