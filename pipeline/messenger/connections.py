"""Connections to providers that check, just before a request is written, that it may still be written.

A process may be stopped or a machine suspended between the decision to send and the first byte: while the request waits
for a connection to be made, or between two requests of a call. By then another worker may have sent the command.
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
"""Seconds that an idle connection is kept. It is shorter than the providers' own time, because a request that is
written to a connection that is being closed has an unknown outcome."""


class WriteGuard:
    """Allows the requests of one call to be written while `is_valid` returns True.

    Attributes:
        was_written: True once a request was written, so that the provider may have carried it out.
    """

    def __init__(self, is_valid: Callable[[], bool] = lambda: True) -> None:
        self._is_valid = is_valid
        self.was_written = False

    def require(self) -> None:
        """Raise `CallWithheld` if a request may not be written any more."""
        if not self._is_valid():
            raise CallWithheld
        self.was_written = True


_WRITE_GUARD: Final[ContextVar[WriteGuard | None]] = ContextVar("write_guard", default=None)


@contextmanager
def guarded_by(guard: WriteGuard) -> Iterator[None]:
    """Check the guard before every request inside the context."""
    token = _WRITE_GUARD.set(guard)
    try:
        yield
    finally:
        _WRITE_GUARD.reset(token)


def require_write_guard() -> None:
    """Raise `CallWithheld` if the current guard does not allow a request to be written."""
    if guard := _WRITE_GUARD.get():
        guard.require()


class GuardedRequest(ClientRequest):
    """A request that checks its guard once it has a connection, and again when its body is about to be written.

    aiohttp delays the head until the body is written, in a separate task, and the event loop may be blocked in between.
    A request without a body is written by `send` itself.
    """

    async def send(self, conn: Connection) -> ClientResponse:
        if not self._body:
            require_write_guard()
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        try:
            require_write_guard()
        except CallWithheld as withheld:
            if conn.protocol is not None:
                conn.protocol.set_exception(withheld)
        else:
            await super().write_bytes(writer, conn, content_length)


def open_session(connections: int, *traces: TraceConfig) -> ClientSession:
    """Open a session with at most `connections` connections, whose requests check the guard of their call."""
    connector = TCPConnector(limit=connections, keepalive_timeout=KEEP_ALIVE)
    return ClientSession(connector=connector, trace_configs=list(traces), request_class=GuardedRequest)
