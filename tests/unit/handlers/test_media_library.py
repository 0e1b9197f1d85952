"""Uploads of one file at the same moment. Against a provider: `tests/unit/providers/test_media.py`."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from pipeline.errors import Unsendable
from pipeline.handlers.media.gateway import MediaGateway, Upload, Uploaded
from pipeline.handlers.media.library import MediaLibrary
from pipeline.state import MemoryStore
from tests.support.handler_events import text

FILE = Upload(b"\xff\xd8\xff\xe0 a picture", "image/jpeg", "a.jpg")


class Provider:
    """Takes uploads one after the other, but for the first one, which fails."""

    def __init__(self) -> None:
        self.begun = self.running = 0

    def keeps_media(self, _: str) -> bool:
        return True

    async def upload(self, *_: object) -> Uploaded:
        self.begun, self.running = self.begun + 1, self.running + 1
        assert self.running == 1, "two uploads of one file at once"
        number = self.begun
        await asyncio.sleep(0.01)
        self.running -= 1
        if number == 1:
            raise Unsendable("not now", "UPLOAD_FAILED")
        return Uploaded({"id": str(number)}, 86_400)


def test_who_comes_after_a_failed_upload_waits_behind_those_who_waited() -> None:
    """A file would be uploaded twice at once when the first try fails: by the waiter and by the newcomer."""

    async def body() -> list[Any]:
        provider = Provider()
        library = MediaLibrary(MemoryStore(), cast(MediaGateway, provider))
        first, waiter = (asyncio.create_task(library.upload_once(text(), FILE)) for _ in range(2))
        await asyncio.wait([first])
        newcomer = asyncio.create_task(library.upload_once(text(), FILE))
        assert isinstance(first.exception(), Unsendable)
        return [await waiter, await newcomer, provider.begun]

    assert asyncio.run(body()) == [{"id": "2"}, {"id": "2"}, 2]
