"""Sends that came by the HTTP API: the bodies that it takes, and the messenger's method that each path is."""
