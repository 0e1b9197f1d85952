"""A stand-in for the providers: enforces their limits, answers like them, sends webhooks back.

It is the outside world, so it imports nothing of the pipeline.
"""
