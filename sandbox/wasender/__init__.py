"""WasenderAPI: the session's endpoints, and its webhooks."""

from sandbox.wasender.api import WasenderApi

__all__ = ["WasenderApi"]
