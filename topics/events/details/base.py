"""The base of all details."""

from __future__ import annotations

from pipeline.topics.events.model import Model, Number, Seconds, Text


class Detail(Model):
    """What an account event says. What its model does not name is in `model_extra`."""


__all__ = ["Detail", "Number", "Seconds", "Text"]
