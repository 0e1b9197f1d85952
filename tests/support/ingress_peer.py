"""A caller of the ingress, byte by byte."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tests.support.ingress_client import Client
from tests.support.waiting import HANG


class Peer:
    """A connection of somebody, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def of(cls, client: Client, sent: bytes = b"", host: str = "127.0.0.1") -> Peer:
        where = await asyncio.open_connection("127.0.0.1", client.ingress.port, local_addr=(host, 0))
        peer = cls(*where)
        peer.send(sent)
        return peer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    @property
    def is_open(self) -> bool:
        return not self._reader.at_eof() and self._reader.exception() is None  # an abort is no end of the stream

    async def status(self) -> int:
        """Of the next answer, which is read whole; 0 where the connection ends instead."""
        try:
            answer = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), HANG)
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        lengths = [line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length")]
        await self._reader.readexactly(int(lengths[0].split(b":")[1]))
        return int(answer.split()[1])

    async def end(self) -> None:
        """Returns when the ingress has closed it."""
        with suppress(ConnectionError):
            assert await asyncio.wait_for(self._reader.read(), HANG) == b""

    def close(self) -> None:
        self._writer.transport.abort()
