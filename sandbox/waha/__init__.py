"""WAHA: its send endpoints and its webhooks; and what everybody who runs its engines shares with it."""

from sandbox.waha.api import WahaApi

__all__ = ["WahaApi"]
