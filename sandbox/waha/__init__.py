"""WAHA: its send endpoints and its webhooks, and the parts that other gateways with its engines share."""

from pipeline.sandbox.waha.api import WahaApi

__all__ = ["WahaApi"]
