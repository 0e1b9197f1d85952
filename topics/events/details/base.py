"""The base of all details."""

from __future__ import annotations

from pipeline.topics.events.model import EventModel, Number, Seconds, Text


class AccountEventDetail(EventModel):
    """The content of an account event. Fields that its model does not name are in `model_extra`."""


__all__ = ["AccountEventDetail", "Number", "Seconds", "Text"]
