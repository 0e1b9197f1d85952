"""The cache of generation 0.1: its caller names the key."""

from pipeline.state import ICache

__all__ = ["ICache"]
