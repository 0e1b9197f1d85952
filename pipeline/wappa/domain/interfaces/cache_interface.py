"""The cache of Wappa 0.1: the caller names the key."""

from pipeline.state import ICache

__all__ = ["ICache"]
