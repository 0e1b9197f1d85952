"""WasenderAPI: the session's endpoints, and its webhooks."""

from pipeline.sandbox.wasender.api import WasenderApi

__all__ = ["WasenderApi"]
