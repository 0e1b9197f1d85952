"""Uploads each file once: the provider's id of a file is stored under the file's hash, by account.

It is stored at once and not with the event's unit of work. The provider has the file even if the event fails, and a
handler that runs again should not upload it again.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.errors import Unsendable
from pipeline.handlers.media.gateway import MediaGateway, Upload
from pipeline.keyed_locks import KeyedLocks
from pipeline.state.keys import media_key
from pipeline.state.store import Store
from pipeline.topics.events import EventBase
from pipeline.topics.keys import account_key

MARGIN: Final = 86_400
"""Seconds before a medium's expiry from which it is uploaded again: a command may wait before it is sent."""
INLINE: Final = 2 * 1024 * 1024
"""Maximum size in bytes of a file inside a command, for providers without uploads. A record may have 4 MiB."""

FOLDER: Final = Path("media")

_MEDIUM: Final = "medium"
_HASH: Final = "hash"


class MediaLibrary:
    """The media of all accounts. Its methods raise `Unsendable` if a provider rejects a file.

    Args:
        store: remembers uploads.
        gateway: reaches the providers; None if no provider keeps media.
        folder: the directory whose files handlers may name by strings.
    """

    def __init__(self, store: Store, gateway: MediaGateway | None = None, folder: Path = FOLDER) -> None:
        self.gateway = gateway
        self.folder = folder
        self._store = store
        self._uploads = KeyedLocks()

    async def upload_once(self, event: EventBase, upload: Upload) -> dict[str, Any]:
        """Return the medium as commands name it: an id, a URL, or the file itself if the provider takes no uploads."""
        if self.gateway is None or not self.gateway.keeps_media(event.provider):
            return inline(upload)
        key = media_key(event.tenant_id, account_key(event.provider, event.account), digest(upload))
        # Concurrent sends of one file wait for one upload.
        async with self._uploads.acquire((key,)):
            return await self._known(key) or await self._upload(self.gateway, event, key, upload)

    async def forget(self, event: EventBase, media_id: str) -> None:
        """Forget a deleted medium, so that it is not sent again."""
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
    """Return the hash of a file's bytes and type."""
    return hashlib.sha256(upload.mime_type.encode() + b"\n" + upload.content).hexdigest()


def inline(upload: Upload) -> dict[str, Any]:
    """Return the file itself, in base64. Raises `Unsendable` if it is too large for a command."""
    if len(upload.content) > INLINE:
        raise Unsendable(
            f"this provider takes no uploads, and the file has more than {INLINE} bytes: pass a URL",
            "FILE_SIZE_EXCEEDED",
        )
    data = base64.b64encode(upload.content).decode()
    return {"data": data, "mime_type": upload.mime_type, "filename": upload.filename}


def _mark(event: EventBase, media_id: str) -> str:
    return media_key(event.tenant_id, account_key(event.provider, event.account), f"id:{media_id}")
