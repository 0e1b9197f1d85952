"""Events that are no webhooks."""
