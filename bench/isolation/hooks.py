"""Handlers of the crowd."""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

from pipeline.handlers import EventHandler
from pipeline.topics.events import MessageEvent

SLOW: Final = f"{__name__}.SlowHook"
SLOWER: Final = f"{__name__}.SlowerHook"
RAISING: Final = f"{__name__}.RaisingHook"


class SlowHook(EventHandler):
    """Echo a text after 50 ms."""

    seconds: ClassVar[float] = 0.05

    async def process_message(self, webhook: MessageEvent) -> None:
        await asyncio.sleep(self.seconds)
        await self.messenger.send_text(webhook.get_message_text(), webhook.user.user_id)


class SlowerHook(SlowHook):
    """Echo a text after a second."""

    seconds = 1.0


class RaisingHook(EventHandler):
    """Raise for each message."""

    async def process_message(self, webhook: MessageEvent) -> None:
        raise RuntimeError("a mistake in a hook")
