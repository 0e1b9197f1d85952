"""Wawp: its own send endpoints and errors, and WAHA's webhooks."""

from pipeline.sandbox.wawp.api import WawpApi

__all__ = ["WawpApi"]
