"""Patches aiokafka's connection to a broker: an error under uvloop, and needless copies.

- *A write on a closed connection*: asyncio ignores it, uvloop raises `RuntimeError`, and aiokafka expects `OSError`.
  When a broker dies, the `RuntimeError` ends the task that maintains the client's metadata, and nothing reports it.
  Then a worker keeps its partitions and never commits, fetches or rejoins again (aio-libs/aiokafka issue 1038).
- *A fetch*: aiokafka's reader pauses the socket after every 128 KiB of a response that it reads whole.
- *A produce request*: aiokafka joins its parts at every level of the schema and twice more, and so copies each batch
  nine times. Here the batches are written as they are, which saves a third of the cost of sending.

It overrides names of aiokafka 0.14.0, which `tests/unit/runtime/faust/test_private_names.py` watches.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from aiokafka import conn
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.types import Array, Bytes, Int32, Schema
from aiokafka.util import wait_for

Write = Callable[..., Any]
READ_AHEAD = 16 * 1024 * 1024
"""Size of the read buffer, in bytes: about one fetch response."""


def pieces(field: Any, item: Any) -> Iterator[bytes | bytearray]:
    """Yield the parts that `field.encode(item)` would join; byte strings are not copied."""
    if isinstance(field, Schema):
        for part, value in zip(field.fields, item, strict=True):
            yield from pieces(part, value)
    elif isinstance(field, Array) and item is not None:
        yield Int32.encode(len(item))
        for value in item:
            yield from pieces(field.array_of, value)
    elif field is Bytes and item is not None:
        yield Int32.encode(len(item))
        yield item
    else:
        yield field.encode(item)


def _produce(connection: Any, request: ProduceRequest) -> Any:
    """Send a produce request that expects a response, as `AIOKafkaConnection.send` does, without copies."""
    number, body = connection._next_correlation_id(), request.prepare(connection._versions)
    header = body.build_request_header(correlation_id=number, client_id=connection._client_id)
    parts = [header.encode(), *pieces(body.SCHEMA, [body.get_item(name) for name in body.SCHEMA.names])]
    try:
        connection._writer.writelines([struct.pack(">i", sum(map(len, parts))), *parts])
    except OSError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} broken: {error}") from error
    answer = connection._loop.create_future()
    connection._requests.append((number, body, answer))
    return wait_for(answer, connection._request_timeout)


def _without_copies(send: Write) -> Write:
    @wraps(send)
    def send_any(connection: Any, request: Any, expect_response: bool = True) -> Any:
        if isinstance(request, ProduceRequest) and expect_response and connection._writer is not None:
            return _produce(connection, request)
        return send(connection, request, expect_response)

    return send_any


def _closed_is_broken(write: Write) -> Write:
    """Make a write on a closed connection fail as aiokafka expects: as a broken connection."""

    @wraps(write)
    def checked(connection: Any, *args: Any, **kwargs: Any) -> Any:
        writer = connection._writer
        if writer is not None and writer.transport.is_closing():
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
        return write(connection, *args, **kwargs)

    return checked


def install() -> None:
    """Patch the connections of all clients in this process. Call it once."""
    conn.READER_LIMIT = READ_AHEAD
    AIOKafkaConnection.send = _closed_is_broken(_without_copies(AIOKafkaConnection.send))
    AIOKafkaConnection._send_sasl_token = _closed_is_broken(AIOKafkaConnection._send_sasl_token)
