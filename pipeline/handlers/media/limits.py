"""The media types that WhatsApp takes, and their maximum sizes. Source: Cloud API, media reference."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.errors import Unsendable

MIB: Final = 1024 * 1024
STATIC_STICKER: Final = 100 * 1024
ANIMATED_STICKER: Final = 500 * 1024

_OFFICE: Final = "application/vnd.openxmlformats-officedocument."

TYPES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "audio": frozenset({"audio/aac", "audio/amr", "audio/mp4", "audio/mpeg", "audio/ogg"}),
        "document": frozenset(
            {
                "text/plain",
                "application/pdf",
                "application/msword",
                "application/vnd.ms-excel",
                "application/vnd.ms-powerpoint",
                f"{_OFFICE}wordprocessingml.document",
                f"{_OFFICE}spreadsheetml.sheet",
                f"{_OFFICE}presentationml.presentation",
            }
        ),
        "image": frozenset({"image/jpeg", "image/png"}),
        "sticker": frozenset({"image/webp"}),
        "video": frozenset({"video/3gpp", "video/mp4"}),
    }
)
SIZES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "audio": 16 * MIB,
        "document": 100 * MIB,
        "image": 5 * MIB,
        "sticker": ANIMATED_STICKER,
        "video": 16 * MIB,
    }
)
"""Maximum sizes in bytes. A static sticker may have `STATIC_STICKER` only."""

MAX_INLINE_UPLOAD: Final = 16 * MIB
"""Maximum bytes of an uploaded file for a provider that takes it only inside a message, as base64 in JSON."""

SUPPORTED: Final = frozenset().union(*TYPES.values())
MAX_SIZE: Final = max(SIZES.values())

_ALIASES: Final = {"video/3gp": "video/3gpp", "image/jpg": "image/jpeg", "audio/mp3": "audio/mpeg"}


def plain_type(mime_type: str) -> str:
    """Return a MIME type without parameters (`audio/ogg; codecs=opus`), in lower case, by its registered name."""
    plain = mime_type.split(";", 1)[0].strip().lower()
    return _ALIASES.get(plain, plain)


def category(mime_type: str) -> str | None:
    """Return `audio`, `document`, `image`, `sticker` or `video`; None for a type that WhatsApp does not take."""
    return next((name for name, types in TYPES.items() if plain_type(mime_type) in types), None)


def max_size(mime_type: str) -> int:
    """Return the maximum size of a medium of this type in bytes; 100 MiB for types that are only received."""
    found = category(mime_type)
    return SIZES[found] if found else MAX_SIZE


def max_upload(kind: str, *, keeps_media: bool) -> int:
    """Return the maximum bytes of a file for a message of `kind`. `keeps_media`: the provider takes it by itself."""
    return SIZES[kind] if keeps_media else min(SIZES[kind], MAX_INLINE_UPLOAD)


def check_type(mime_type: str, kind: str | None = None) -> None:
    """Raise `Unsendable` for a type that WhatsApp does not take, or does not take as a message of `kind`."""
    if plain_type(mime_type) not in (TYPES[kind] if kind else SUPPORTED):
        what = f"a {kind}" if kind else "a medium"
        raise Unsendable(f"WhatsApp does not take {plain_type(mime_type)} as {what}", "MIME_TYPE_UNSUPPORTED")


def check_size(size: int, mime_type: str, content: bytes = b"") -> None:
    """Raise `Unsendable` if there are more bytes than the type may have. The content shows if a sticker is animated."""
    most = max_size(mime_type)
    if content and category(mime_type) == "sticker" and not _is_animated(content):
        most = STATIC_STICKER
    if size > most:
        raise Unsendable(f"the file has {size} bytes: WhatsApp takes {most} of {mime_type}", "FILE_SIZE_EXCEEDED")
    if size == 0:
        raise Unsendable("the file is empty", "FILE_SIZE_EXCEEDED")


def check_content(head: bytes, mime_type: str, kind: str) -> None:
    """Raise `Unsendable` if the file's first bytes are those of another kind of medium, whatever its type says."""
    found = _type_by_content(head)
    if found is None or category(found) in (None, kind) or (kind, found) == ("audio", "video/mp4"):
        return  # unknown, a container of many formats, or MP4 with sound only
    raise Unsendable(f"the file is {found}, and not {plain_type(mime_type)}", "MIME_TYPE_UNSUPPORTED")


def _is_animated(webp: bytes) -> bool:
    """Return True if a WebP is animated: the extended header says so in its second flag."""
    return webp[12:16] == b"VP8X" and len(webp) > 20 and bool(webp[20] & 0x02)


def type_of(filename: str, content: bytes = b"") -> str | None:
    """Return the MIME type by the file's first bytes, else by its name."""
    by_name = mimetypes.guess_type(filename)[0]
    by_content = _type_by_content(content)
    # Office files and audio in MP4 are in containers, so the name tells more than the first bytes.
    if by_name and (by_content is None or by_content in ("application/zip", "video/mp4")):
        return plain_type(by_name)
    return None if by_content == "application/zip" else by_content


_MAGIC: Final = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (8, b"WEBP", "image/webp"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"OggS", "audio/ogg"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"\xff\xf9", "audio/aac"),
    (4, b"ftyp3g", "video/3gpp"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
    (0, b"PK\x03\x04", "application/zip"),
)


def _type_by_content(content: bytes) -> str | None:
    return next((mime for at, magic, mime in _MAGIC if content[at : at + len(magic)] == magic), None)


_EXTENSIONS: Final = {"audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/ogg": ".ogg", "image/jpeg": ".jpg"}


def extension(mime_type: str) -> str:
    """Return the usual extension with its dot; "" for an unknown type."""
    plain = plain_type(mime_type)
    return _EXTENSIONS.get(plain) or mimetypes.guess_extension(plain) or ""
