"""The load generator: a process of its own that posts signed webhooks over keep-alive connections."""
