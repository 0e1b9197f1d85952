"""WAHA: its send endpoints and its webhooks; and what everybody who runs its engines shares with it."""

from pipeline.sandbox.waha.api import WahaApi

__all__ = ["WahaApi"]
