"""One keep-alive connection: a request at a time, and no more of HTTP than that needs."""

from __future__ import annotations

import asyncio
from typing import cast

from bench import webhooks
from bench.load.task import PATH

CLOSED = 0
"""The status of a request whose connection was closed."""


class Connection(asyncio.Protocol):
    """Made by `loop.create_connection`."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def post(self, body: bytes) -> asyncio.Future[int]:
        """Post a webhook; gives the status of its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            self._answer.set_result(CLOSED)
        else:
            self._transport.write(request(body))
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        status = answered(self._received)
        if status is not None and self._answer is not None:
            self._received = b""
            self._answer.set_result(status)

    def connection_lost(self, _: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(CLOSED)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def request(body: bytes) -> bytes:
    """Return the bytes of a signed POST of a webhook."""
    head = (
        f"POST {PATH} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: facebookexternalua",
        "Content-Type: application/json",
        f"X-Hub-Signature-256: {webhooks.signature(body)}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def answered(received: bytes) -> int | None:
    """Return the status of a response once all of it is there; None before."""
    head, separator, rest = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    if len(rest) < int(length or 0):
        return None
    return int(head[9:12])
