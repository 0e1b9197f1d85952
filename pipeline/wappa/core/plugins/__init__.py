"""Plugins. Redis is chosen by `Wappa(cache="redis")`; the others belong to a web application."""

from __future__ import annotations

from pipeline.wappa.not_offered import refusing


class RedisPlugin:
    """Does nothing: what it would connect is connected wherever a handler runs."""


__getattr__ = refusing(__name__)
__all__ = ["RedisPlugin"]
