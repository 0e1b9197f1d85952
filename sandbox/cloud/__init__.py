"""Meta's WhatsApp Cloud API: the messages endpoint of the Graph API, and its webhooks."""

from pipeline.sandbox.cloud.api import GraphApi

__all__ = ["GraphApi"]
