"""Campaigns on the messenger: the allowance that it uses, the CPU of a send, and who waits behind a million of them."""
