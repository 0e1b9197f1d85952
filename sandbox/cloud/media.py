"""Media: `POST /{version}/{phone_number_id}/media`, `GET` and `DELETE /{version}/{media_id}`, and the bytes."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from typing import Any, Final, NamedTuple

from aiohttp import BodyPartReader, web

from pipeline.sandbox.cloud.errors import GraphError, known, missing, wrong

DOWNLOADS: Final = "/whatsapp_business/attachments/"
KEPT: Final = 256 * 1024 * 1024
"""Bytes of all media together; the oldest are removed first."""

_MIB: Final = 1024 * 1024
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
LIMITS: Final = {
    **dict.fromkeys(("audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg", "audio/opus"), 16 * _MIB),
    **dict.fromkeys(("application/vnd.ms-powerpoint", "application/msword", "application/pdf"), 100 * _MIB),
    **dict.fromkeys(("text/plain", "application/vnd.ms-excel", f"{_OFFICE}wordprocessingml.document"), 100 * _MIB),
    **dict.fromkeys((f"{_OFFICE}presentationml.presentation", f"{_OFFICE}spreadsheetml.sheet"), 100 * _MIB),
    **dict.fromkeys(("image/jpeg", "image/png"), 5 * _MIB),
    "image/webp": 500 * 1024,
    **dict.fromkeys(("video/mp4", "video/3gpp"), 16 * _MIB),
}
"""Maximum bytes by type, in the order of Meta's error message."""


class Medium(NamedTuple):
    """A file of one number."""

    account: str
    content: bytes
    mime_type: str
    filename: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class MediaShelf:
    """The uploaded media, by id."""

    def __init__(self, kept: int = KEPT) -> None:
        self._media: OrderedDict[str, Medium] = OrderedDict()
        self._kept = kept
        self._size = 0

    def add(self, medium: Medium) -> str:
        media_id = str(10**15 + secrets.randbelow(9 * 10**15))
        self._media[media_id] = medium
        self._size += len(medium.content)
        while self._size > self._kept:
            self._size -= len(self._media.popitem(last=False)[1].content)
        return media_id

    def get(self, media_id: str, account: str | None = None) -> Medium | None:
        """Return a medium of any number or of one."""
        found = self._media.get(media_id)
        return found if found and account in (None, found.account) else None

    def remove(self, media_id: str) -> None:
        self._size -= len(self._media.pop(media_id).content)

    def info(self, media_id: str, medium: Medium, origin: str) -> dict[str, Any]:
        """Return the Graph API's description of a medium."""
        return {
            "messaging_product": "whatsapp",
            "url": f"{origin}{DOWNLOADS}?mid={media_id}",
            "mime_type": medium.mime_type,
            "sha256": medium.sha256,
            "file_size": len(medium.content),
            "id": media_id,
        }


async def uploaded(request: web.Request, account: str) -> Medium:
    """Return the file of a multipart upload. Raise `GraphError`."""
    if not request.content_type.startswith("multipart/"):
        raise missing("messaging_product")
    fields: dict[str, str] = {}
    file: tuple[bytes, str, str] | None = None
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader) and part.name == "file":
            file = bytes(await part.read()), part.headers.get("Content-Type", ""), part.filename or ""
        elif isinstance(part, BodyPartReader) and part.name:
            fields[part.name] = await part.text()
    return _checked(account, fields, file)


def _checked(account: str, fields: dict[str, str], file: tuple[bytes, str, str] | None) -> Medium:
    if fields.get("messaging_product") != "whatsapp":
        raise missing("messaging_product")
    if file is None or not file[0]:
        raise missing("file")
    content, mime_type, filename = file
    _check_file(content, (fields.get("type") or mime_type).split(";")[0].strip())
    return Medium(account, content, fields.get("type") or mime_type, filename)


def _check_file(content: bytes, mime_type: str) -> None:
    if mime_type not in LIMITS:
        raise wrong(f"Param file must be a file with one of the following types: {', '.join(LIMITS)}.")
    if len(content) > LIMITS[mime_type]:
        raise known(131053, details=f"File size exceeds the limit of {LIMITS[mime_type]} bytes for {mime_type}")


def no_medium(media_id: str, verb: str) -> GraphError:
    """Return the error for an unknown id, or one of another business."""
    return GraphError(
        100,
        f"Unsupported {verb} request. Object with ID '{media_id}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
        kind="GraphMethodException",
        subcode=33,
    )
