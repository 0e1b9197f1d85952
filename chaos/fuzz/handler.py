"""The handler of a fuzz run: it reads everything that an event says, as a curious business would."""

from __future__ import annotations

import inspect
from typing import Final

from pipeline.handlers import EventHandler
from pipeline.topics.events import EventBase, MessageEvent, StatusEvent

PATH: Final = "chaos.fuzz.handler.CuriousHandler"


class CuriousHandler(EventHandler):
    """Calls every method of an event that asks for nothing."""

    async def process_message(self, webhook: MessageEvent) -> None:
        read(webhook)

    async def process_status(self, webhook: StatusEvent) -> None:
        read(webhook)


def read(event: EventBase) -> None:
    for name in questions(type(event)):
        getattr(event, name)()


def questions(kind: type[EventBase]) -> list[str]:
    """Return the names of the event's own methods without arguments: `get_message_text`, `was_forwarded`, …"""
    own = [name for name in dir(kind) if name.startswith(("get_", "is_", "has_", "was_"))]
    return [name for name in own if _asks_nothing(getattr(kind, name))]


def _asks_nothing(method: object) -> bool:
    return inspect.isfunction(method) and len(inspect.signature(method).parameters) == 1
