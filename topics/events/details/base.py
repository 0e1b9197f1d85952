"""The base of all details."""

from __future__ import annotations

from pipeline.topics.events.model import Model, Number, Seconds, Text


class Detail(Model):
    """The content of an account event. Fields that its model does not name are in `model_extra`."""


__all__ = ["Detail", "Number", "Seconds", "Text"]
