"""Connections to providers, on which nothing is written that may not be any more.

Between the decision to send and the first byte lie a queue for connections and a handshake, in which a process may be
stopped or a machine be suspended. So the last thing before the bytes leave is to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from aiohttp import ClientRequest, ClientResponse, ClientSession, TCPConnector, TraceConfig
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection

from pipeline.errors import CallWithheld

KEEP_ALIVE: Final = 4.0
"""Seconds that an idle connection is kept: shorter than the provider's, since what is written to a connection that is
being closed has an unknown outcome."""


class Permit:
    """The right to write the requests of one call, for as long as `holds`.

    Attributes:
        used: whether a request was written, so that the provider may have done something.
    """

    def __init__(self, holds: Callable[[], bool] = lambda: True) -> None:
        self._holds = holds
        self.used = False

    def require(self) -> None:
        """Raises `CallWithheld` where it holds no more."""
        if not self._holds():
            raise CallWithheld
        self.used = True


_PERMIT: Final[ContextVar[Permit | None]] = ContextVar("permit", default=None)


@contextmanager
def under(permit: Permit) -> Iterator[None]:
    """Every request inside needs the permit."""
    token = _PERMIT.set(permit)
    try:
        yield
    finally:
        _PERMIT.reset(token)


def require_permit() -> None:
    """Raises `CallWithheld` where a request may not be written any more."""
    if permit := _PERMIT.get():
        permit.require()


class PermittedRequest(ClientRequest):
    """A request that asks for its permit when it has its connection, and again with the bytes in hand.

    aiohttp keeps the head until the body is written, which is done by a task of its own: between both the event loop
    may stand still. A request without a body is written by `send` itself.
    """

    async def send(self, conn: Connection) -> ClientResponse:
        if not self._body:
            require_permit()
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        try:
            require_permit()
        except CallWithheld as withheld:
            if conn.protocol is not None:
                conn.protocol.set_exception(withheld)
        else:
            await super().write_bytes(writer, conn, content_length)


def open_session(connections: int, *traces: TraceConfig) -> ClientSession:
    """A session with so many connections at once, whose requests need the permit of their call."""
    connector = TCPConnector(limit=connections, keepalive_timeout=KEEP_ALIVE)
    return ClientSession(connector=connector, trace_configs=list(traces), request_class=PermittedRequest)
