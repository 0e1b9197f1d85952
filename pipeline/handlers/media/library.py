"""Uploads, each file once: what a provider gave for a file is remembered under the file's hash, by account.

It is remembered at once and not with the event's unit of work. That a provider has a file is true whatever becomes of
the event, and a handler that is run again should not upload again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.errors import Unsendable
from pipeline.handlers.media.gateway import MediaGateway, Upload
from pipeline.state.keys import media_key
from pipeline.state.store import Store
from pipeline.topics.events import EventBase
from pipeline.topics.keys import account_key

MARGIN: Final = 86_400
"""Seconds before a medium's end from which it is uploaded again: a command may wait before it is sent."""
INLINE: Final = 2 * 1024 * 1024
"""Bytes that may travel within a command, to a provider that takes no uploads. A record has 4 MiB."""

FOLDER: Final = Path("media")

_MEDIUM: Final = "medium"
_HASH: Final = "hash"


class MediaLibrary:
    """The media of all accounts. Raises `Unsendable` where a provider does not take a file.

    `folder`: files below it may be named by strings.
    """

    def __init__(self, store: Store, gateway: MediaGateway | None = None, folder: Path = FOLDER) -> None:
        self.gateway = gateway
        self.folder = folder
        self._store = store
        self._under_way: dict[str, asyncio.Lock] = {}

    async def medium(self, event: EventBase, upload: Upload) -> dict[str, Any]:
        """How a command names the file: what the provider gave for it, or the file itself where it takes no uploads."""
        if self.gateway is None or not self.gateway.keeps_media(event.provider):
            return inline(upload)
        key = media_key(event.tenant_id, account_key(event.provider, event.account), digest(upload))
        # Several sends of one file at once wait for one upload.
        async with self._under_way.setdefault(key, asyncio.Lock()):
            try:
                return await self._known(key) or await self._upload(self.gateway, event, key, upload)
            finally:
                self._under_way.pop(key, None)

    async def forget(self, event: EventBase, media_id: str) -> None:
        """A deleted medium is not sent again."""
        mark = _mark(event, media_id)
        known = await self._store.field(mark, _HASH)
        if known is not None:
            await self._store.remove(orjson.loads(known))
            await self._store.remove(mark)

    async def _known(self, key: str) -> dict[str, str] | None:
        found = await self._store.field(key, _MEDIUM)
        return None if found is None else orjson.loads(found)

    async def _upload(self, gateway: MediaGateway, event: EventBase, key: str, upload: Upload) -> dict[str, str]:
        uploaded = await gateway.upload(event.provider, event.account, upload)
        ttl = uploaded.lifetime - MARGIN if uploaded.lifetime > 2 * MARGIN else uploaded.lifetime // 2
        await self._store.put(key, _MEDIUM, orjson.dumps(uploaded.medium), ttl)
        if media_id := uploaded.medium.get("id"):
            await self._store.put(_mark(event, media_id), _HASH, orjson.dumps(key), ttl)
        return uploaded.medium


def digest(upload: Upload) -> str:
    """What makes two files one: their bytes and their type."""
    return hashlib.sha256(upload.mime_type.encode() + b"\n" + upload.content).hexdigest()


def inline(upload: Upload) -> dict[str, Any]:
    """The file itself, in base64. Raises `Unsendable` for one that is too large to travel with its command."""
    if len(upload.content) > INLINE:
        raise Unsendable(
            f"this provider takes no uploads, and the file has more than {INLINE} bytes: pass a URL",
            "FILE_SIZE_EXCEEDED",
        )
    data = base64.b64encode(upload.content).decode()
    return {"data": data, "mime_type": upload.mime_type, "filename": upload.filename}


def _mark(event: EventBase, media_id: str) -> str:
    return media_key(event.tenant_id, account_key(event.provider, event.account), f"id:{media_id}")
