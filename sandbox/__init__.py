"""A simulation of the providers: it enforces their limits, answers like them, and sends webhooks.

It stands for the outside world, so it imports nothing of the pipeline.
"""
