"""The handler of a run: every effect that a handler can have, each of which can be counted afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Final

from chaos.webhooks import ASIDE, BUSY
from pipeline.handlers import EventHandler
from pipeline.topics.events import MessageEvent

PATH: Final = "chaos.handler.RecordingHandler"
ROW: Final = "chaos"
"""The row in a user's cache: `count`, and the places in the order in which they were handled, so many to a field."""
BLOCK: Final = 1_000
"""Places in one field: a list of all places would be read and written again for each."""
BUSY_SECONDS: Final = 0.01


CRASHES: Final = ("abort", "kill", "spin")
"""Ways of ending or blocking a process."""


def end_the_process(how: str) -> None:
    match how:
        case "abort":
            os.abort()
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
    while True:
        pass


def block(counted: int) -> str:
    """Return the field of the `counted`-th place, from 1."""
    return f"places.{(counted - 1) // BLOCK}"


class RecordingHandler(EventHandler):
    """Counts a message, writes its place down and sends the place back; takes as long as the text asks for.

    It ignores an aside where it belongs, in front of the message of its place. Anywhere else, as behind it, an aside
    counts as one more message of that place.
    """

    async def process_message(self, webhook: MessageEvent) -> None:
        place, _, more = (webhook.get_message_text() or "").partition(" ")
        if more.startswith("!"):
            end_the_process(more[1:])
        user = self.cache_factory.create_user_cache()
        if more == ASIDE:
            counted = await user.get_field(ROW, "count") or 0
            if counted == int(place):
                return
            more = ""
        counted = await user.increment_field(ROW, "count") or 0
        if more == BUSY:
            await asyncio.sleep(BUSY_SECONDS)
        elif more:
            await self.messenger.mark_as_read(webhook.message.message_id, typing=True)
            await asyncio.sleep(float(more))
        await user.append_to_list(ROW, block(counted), int(place))
        await self.messenger.send_text(place, webhook.user.user_id)
