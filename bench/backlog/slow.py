"""A handler that takes its time."""

from __future__ import annotations

import asyncio
from typing import Final

from pipeline.handlers import EventHandler
from pipeline.topics.events import MessageEvent

PATH: Final = f"{__name__}.SlowHandler"
SECONDS: Final = 1.0


class SlowHandler(EventHandler):
    """As the echo, after a second."""

    async def process_message(self, webhook: MessageEvent) -> None:
        await asyncio.sleep(SECONDS)
        await self.messenger.send_text(webhook.get_message_text(), webhook.user.user_id)
