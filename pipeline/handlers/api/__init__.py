"""Sends that came by the HTTP API: their request bodies, and the messenger's method of each path."""
