"""Malformed, hostile and huge webhooks through the real ingress and workers, each one counted to where it has ended."""
