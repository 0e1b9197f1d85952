"""A request's body that is read while it arrives. What is read counts as memory until it is released."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import StreamReader

READ_BYTES: Final = 64 * 1024
"""Bytes that are read at once."""


class BodyTooLarge(Exception):
    """More bytes arrived than the body may have."""


class ArrivingBody:
    """A body, with the part of `StreamReader` that aiohttp's reader of forms uses.

    Args:
        limit: bytes of the whole body.
        stall: seconds between two pieces of it.
        hold: counts bytes that are held from now on; a negative number of them are not held any more. Raises
            `Rejected` if there is no room for them.
    """

    def __init__(self, content: StreamReader, limit: int, stall: float, hold: Callable[[int], None]) -> None:
        self._content = content
        self._left = limit
        self._stall = stall
        self._hold = hold
        self._held = 0
        self._returned = b""

    async def read(self, n: int) -> bytes:
        """Return at most `n` bytes as soon as there are any; none at the end."""
        if self._returned:
            data, self._returned = self._returned[:n], self._returned[n:]
            return data
        if self._content.at_eof():  # aiohttp logs reads behind the end
            return b""
        async with asyncio.timeout(self._stall):
            return self._counted(await self._content.read(min(n, READ_BYTES)))

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        """Return one line, with its end."""
        line, end, self._returned = self._returned.partition(b"\n")
        if end or self._content.at_eof():
            return line + end
        async with asyncio.timeout(self._stall):
            return line + self._counted(await self._content.readline(max_line_length=max_line_length))

    def unread_data(self, data: bytes) -> None:
        """Take bytes back; the next read returns them."""
        self._returned = data + self._returned

    def at_eof(self) -> bool:
        """Return True if there is nothing left to read."""
        return not self._returned and self._content.at_eof()

    def release(self, size: int | None = None) -> None:
        """Say that so many bytes are not held any more; by default all."""
        released = self._held if size is None else min(size, self._held)
        self._held -= released
        self._hold(-released)

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise BodyTooLarge
        self._held += len(data)
        self._hold(len(data))
        return data
