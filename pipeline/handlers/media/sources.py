"""The media that a handler may pass: a URL, a provider's id, a path, bytes, an open file, or `{"id"|"link": …}`."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from pipeline.errors import Unsendable
from pipeline.handlers.media import limits
from pipeline.handlers.media.gateway import Upload
from pipeline.handlers.outbound import checks
from pipeline.topics.uploads import StoredUpload
from pipeline.unicode import well_formed

Source = str | Path | bytes | bytearray | BinaryIO | Mapping[str, Any]

_REFERENCES: Final = ("id", "link", "data")


def as_reference(source: object) -> dict[str, Any] | None:
    """Return the medium of a source that needs no upload; None for a source that does."""
    if isinstance(source, StoredUpload):
        return source.medium()
    if isinstance(source, Mapping):
        named = [name for name in _REFERENCES if source.get(name)]
        if len(named) != 1:
            raise Unsendable("a medium has exactly one of id, link and data", "NO_MEDIA_ID")
        if named == ["link"]:
            checks.url(source["link"])
        return dict(source)
    if isinstance(source, str) and checks.is_url(source):
        return {"link": checks.url(source)}
    return {"id": source} if isinstance(source, str) and _is_id(source) else None


def _is_id(source: str) -> bool:
    """Return True if a string is a provider's id and no path: it has no separator and no file's extension."""
    return bool(source) and not ({"/", "\\"} & set(source)) and mimetypes.guess_type(source)[0] is None


async def load_upload(
    source: object, mime_type: str | None, filename: str | None, kind: str | None = None, *, folder: Path
) -> Upload:
    """Return the file to upload. Raises `Unsendable` if it does not exist, or WhatsApp does not take it.

    A `Path` is the handler's own. A string may be a user's text, so it is a path below `folder` only.
    """
    if isinstance(source, bytes | bytearray):
        return _checked(bytes(source), mime_type, filename or "", kind)
    if isinstance(source, str) and source:
        source = await asyncio.to_thread(_below, folder, source)
    if isinstance(source, Path):
        return _checked(await asyncio.to_thread(_read, source), mime_type, filename or source.name, kind)
    if hasattr(source, "read"):
        content = await asyncio.to_thread(source.read, limits.MAX_SIZE + 1)
        return _checked(content, mime_type, filename or _name(source), kind)
    raise Unsendable(f"a {type(source).__name__} is no medium: pass a URL, an id, a path or bytes", "NO_MEDIA_ID")


def _below(folder: Path, given: str) -> Path:
    """Return the real path of a file below the folder. Neither `..` nor links may lead out of it."""
    try:
        path = Path(given).resolve()
        inside = path.is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a null byte, a circle of links
        inside = False
    if not inside:
        raise Unsendable(
            f"a string names a file below PIPELINE_MEDIA_DIR ({folder}) only: move it there, or pass a pathlib.Path",
            "FILE_NOT_FOUND",
        )
    return path


def _read(path: Path) -> bytes:
    try:
        if not path.is_file() and path.exists():
            raise Unsendable(f"{path.name} is no file", "FILE_NOT_FOUND")
        if path.stat().st_size > limits.MAX_SIZE:
            raise Unsendable(f"the file is larger than {limits.MAX_SIZE} bytes", "FILE_SIZE_EXCEEDED")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise Unsendable(f"can't read the file {path.name} ({reason})", "FILE_NOT_FOUND") from None


def _name(stream: object) -> str:
    name = getattr(stream, "name", "")
    return Path(name).name if isinstance(name, str) else ""


def _checked(content: object, mime_type: str | None, filename: str, kind: str | None) -> Upload:
    if not isinstance(content, bytes):
        raise Unsendable("the file gives no bytes: open it in binary mode", "NO_MEDIA_ID")
    found = mime_type or limits.type_of(filename, content)
    if found is None:
        raise Unsendable("the medium's type can't be told: pass mime_type", "MIME_TYPE_UNKNOWN")
    limits.check_type(found, kind)
    limits.check_size(len(content), found, content)
    return Upload(content, found, well_formed(filename or f"file{limits.extension(found)}"))
