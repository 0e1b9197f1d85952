"""Take the file of a form: check its type and size while it arrives, and store it in pieces."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import Final

from aiohttp import BodyPartReader

from pipeline.errors import Unsendable
from pipeline.handlers.media import limits
from pipeline.ingress.arriving_body import ArrivingBody
from pipeline.ingress.send_errors import TOO_LARGE, InvalidSend
from pipeline.ingress.send_form import read_chunks
from pipeline.topics.uploads import StoredUpload
from pipeline.unicode import well_formed
from pipeline.uploads.writer import FileWriter

MAX_FILENAME: Final = 240
"""Characters of a file's name."""
MAX_TYPE: Final = 100
"""Characters of a type with its parameters."""
_HEAD: Final = 64
"""First bytes that tell the type of a file."""
_NO_TYPE: Final = frozenset({"", "application/octet-stream"})


class FileReceiver:
    """Receives one file for a message of `kind`.

    Args:
        limit: bytes that the file may have.
        body: gets told what is not held any more.
    """

    def __init__(self, kind: str, limit: int, writer: FileWriter, body: ArrivingBody) -> None:
        self._kind = kind
        self._limit = limit
        self._writer = writer
        self._body = body
        self._head = b""
        self._mime_type = ""
        self._filename = ""

    async def take(self, part: BodyPartReader) -> None:
        """Store the file, save for its last piece. Raises `InvalidSend`, and `Unavailable`."""
        self._filename = _filename(part.filename or "")
        declared = part.headers.get("Content-Type", "").strip()
        async for chunk in read_chunks(part):
            if len(self._head) < _HEAD:
                self._head += chunk[:_HEAD]
            if self._writer.size + len(chunk) > self._limit:
                raise InvalidSend.of(too_large(self._kind, self._limit))
            if not self._mime_type and len(self._head) >= _HEAD:
                self._check_type(declared)
            self._body.release(await self._writer.write(chunk))
        self._check_type(declared)
        self._check_size()

    async def finish(self) -> StoredUpload:
        """Store the last piece, and return the upload. Raises `Unavailable`."""
        await self._writer.finish()
        return self.described()

    def described(self) -> StoredUpload:
        """Return the upload; before `finish` its place is not valid yet."""
        return self._writer.described(self._mime_type, self._filename or f"file{limits.extension(self._mime_type)}")

    def _check_type(self, declared: str) -> None:
        try:
            if len(declared) > MAX_TYPE or not (declared.isascii() and declared.isprintable()):
                raise Unsendable("the file's type is no MIME type", "MIME_TYPE_UNSUPPORTED")
            named = limits.plain_type(declared) not in _NO_TYPE
            found = declared if named else limits.type_of(self._filename, self._head)
            if found is None:
                raise Unsendable("the file's type can't be told: send its Content-Type", "MIME_TYPE_UNKNOWN")
            limits.check_type(found, self._kind)
            limits.check_content(self._head, found, self._kind)
        except Unsendable as error:
            raise InvalidSend.of(error) from None
        self._mime_type = found

    def _check_size(self) -> None:
        if self._writer.size == 0:
            raise InvalidSend.because("the file is empty", 422, TOO_LARGE)
        try:
            limits.check_size(self._writer.size, self._mime_type, self._head)
        except Unsendable as error:
            raise InvalidSend.of(error) from None


def too_large(kind: str, limit: int) -> Unsendable:
    """Return the error of a file that has more bytes than a message of this kind may have through its account."""
    return Unsendable(f"the file is too large: through this account, a {kind} has at most {limit} bytes", TOO_LARGE)


def _filename(given: str) -> str:
    """Return a file's name without its folder. Raises `InvalidSend`."""
    name = well_formed(PurePosixPath(PureWindowsPath(given).as_posix()).name)
    if len(name) > MAX_FILENAME or not name.isprintable():
        raise InvalidSend.because(f"the file's name has more than {MAX_FILENAME} characters, or one that is not seen")
    return name
