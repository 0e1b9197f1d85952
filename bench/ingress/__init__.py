"""The HTTP door: signed webhooks in, acknowledgements awaited, 200 out."""
