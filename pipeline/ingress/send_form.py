"""Read a send with a file from a form (`multipart/form-data`) while it arrives. Source: RFC 7578."""

from __future__ import annotations

import math
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, cast

from aiohttp import (
    BadContentDispositionHeader,
    BadContentDispositionParam,
    BodyPartReader,
    MultipartReader,
    StreamReader,
)
from aiohttp.http_exceptions import HttpProcessingError

from pipeline.handlers.api.bodies import MEDIUM, SendBody
from pipeline.ingress.arriving_body import READ_BYTES, ArrivingBody
from pipeline.ingress.send_errors import InvalidSend
from pipeline.topics.types import Json

FORM_TYPE: Final = "multipart/form-data"
MAX_PARTS: Final = 32
"""Parts of a form. No send has as many fields."""
MAX_FIELD_NAME: Final = 64
"""Characters of a field's name."""
MAX_FIELD_BYTES: Final = 256 * 1024
"""Bytes of all fields together, without the file."""
_PLAIN: Final = frozenset({"", "7bit", "8bit", "binary"})
"""Transfer encodings that leave the bytes as they are. RFC 7578 allows no other."""
_BOOLEANS: Final = {"true": True, "false": False}

for _warning in (BadContentDispositionHeader, BadContentDispositionParam):
    warnings.filterwarnings("ignore", category=_warning)  # it quotes what came, and the part has no name then

TakeFile = Callable[[BodyPartReader], Awaitable[None]]


async def read_form(headers: Mapping[str, str], body: ArrivingBody, take_file: TakeFile) -> dict[str, str]:
    """Return the fields of a form, and give its file to `take_file` when it comes. Raises `InvalidSend`."""
    form = _Form(take_file)
    with _malformed():
        reader = MultipartReader(headers, cast("StreamReader", body))
    while True:
        with _malformed():
            part = await reader.next()
        if part is None:
            break
        await form.add(part)
    if not form.has_file:
        raise _wrong(f"there is no file: add one as {MEDIUM} (curl: -F {MEDIUM}=@photo.jpg)")
    return form.fields


async def read_chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    """Yield the bytes of a part. Raises `InvalidSend` if it is not whole."""
    while not part.at_eof():
        with _malformed():
            chunk = await part.read_chunk(READ_BYTES)
        yield chunk


class _Form:
    """The parts of a form, one after the other."""

    def __init__(self, take_file: TakeFile) -> None:
        self._take_file = take_file
        self._left = MAX_FIELD_BYTES
        self.fields: dict[str, str] = {}
        self.has_file = False

    async def add(self, part: object) -> None:
        """Read one part."""
        if not isinstance(part, BodyPartReader):
            raise _wrong("a part of it is a form itself")
        with _malformed():
            name, filename = part.name, part.filename
        self._check_name(name, part)
        assert name is not None
        if name != MEDIUM and filename is not None:
            raise _wrong(f"{name} is a file: only {MEDIUM} can be one")
        if name != MEDIUM:
            self.fields[name] = await self._text(name, part)
        elif filename is None:
            raise _wrong(f"{MEDIUM} is no file: give it a file name (curl: -F {MEDIUM}=@photo.jpg), or send JSON")
        else:
            self.has_file = True
            await self._take_file(part)

    def _check_name(self, name: str | None, part: BodyPartReader) -> None:
        if not name or len(name) > MAX_FIELD_NAME or not (name.isascii() and name.isidentifier()):
            raise _wrong("a part of it has no name, or none that a field has")
        if name in self.fields or (name == MEDIUM and self.has_file):
            raise _wrong(f"{name} is there twice")
        if len(self.fields) >= MAX_PARTS:
            raise _wrong(f"it has more than {MAX_PARTS} parts")
        if part.headers.get("Content-Transfer-Encoding", "").lower() not in _PLAIN:
            raise _wrong(f"{name} has a transfer encoding: send its bytes as they are")

    async def _text(self, name: str, part: BodyPartReader) -> str:
        content = bytearray()
        async for chunk in read_chunks(part):
            content += chunk
            if len(content) > self._left:
                raise InvalidSend.because(f"the fields of the form have more than {MAX_FIELD_BYTES} bytes", 413)
        self._left -= len(content)
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise _wrong(f"{name} is not UTF-8") from None


def typed(kind: type[SendBody], fields: Mapping[str, str]) -> Json:
    """Return the fields of a form as the JSON body has them. What is no number or truth value stays a text."""
    return {name: _value(kind, name, text) for name, text in fields.items()}


def _value(kind: type[SendBody], name: str, text: str) -> object:
    field = kind.model_fields.get(name)
    if field is not None and field.annotation is bool:
        return _BOOLEANS.get(text.lower(), text)
    if field is not None and field.annotation == (float | None):
        return _number(text)
    return text


def _number(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _wrong(reason: str) -> InvalidSend:
    return InvalidSend.because(f"the form is wrong: {reason}")


@contextmanager
def _malformed() -> Iterator[None]:
    """Turn the errors of aiohttp's reader into one line. It raises many types, which quote what came."""
    try:
        yield
    except (ValueError, LookupError, RuntimeError, AssertionError, TypeError, HttpProcessingError, Warning):
        raise _wrong("it is not whole, or not multipart/form-data as RFC 7578 has it") from None
