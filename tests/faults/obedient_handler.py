"""A handler that does what a message's text says, and then answers with its id."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson

from pipeline.handlers import EventHandler
from pipeline.topics.events import MessageEvent
from tests.support.waiting import until

PATH: Final = "tests.faults.obedient_handler.ObedientHandler"
ROW: Final = "handled"
"""The row in a user's cache that counts the handled messages."""


def order(id_: str, do: str = "answer", go: Path = Path("/"), seconds: float = 0.0) -> str:
    """Return a message's text: what is done before the answer, as long as the file `go` is not there.

    `do` is "nap" for `seconds`, "wait" for the file, or "raise".
    """
    return orjson.dumps({"id": id_, "do": do, "until": str(go), "seconds": seconds}).decode()


class ObedientHandler(EventHandler):
    async def process_message(self, webhook: MessageEvent) -> None:
        text = orjson.loads(webhook.get_message_text() or "")
        is_there = Path(text["until"]).exists
        if not is_there():
            await _hold(text["do"], text["seconds"], is_there)
        await self.cache_factory.create_user_cache().increment_field(ROW, "messages")
        await self.messenger.send_text(text["id"], webhook.user.user_id)


async def _hold(do: str, seconds: float, is_there: Callable[[], bool]) -> None:
    match do:
        case "raise":
            raise RuntimeError("the service of this hook is away")
        case "nap":
            await asyncio.sleep(seconds)
        case "wait":
            await until(is_there)
