"""aiokafka's connection to a broker, closed where it breaks under uvloop and short-cut where it copies.

- *A write on a closed connection*: asyncio takes it and forgets it, uvloop raises `RuntimeError`. aiokafka expects
  `OSError`: at the death of a broker the task that keeps a client's metadata ends of it, unheard. From then on nothing
  that needs metadata comes back: a worker keeps its partitions and never commits, fetches or rejoins again (aio-libs/
  aiokafka issue 1038).
- *A fetch*: aiokafka's reader stops the socket at every 128 KiB of an answer that it reads whole, and starts it again.
- *A produce request*: aiokafka joins its parts at every level of its schema and twice more, and copies each batch nine
  times. Here the batches are written as they are: a third of what sending costs.

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
"""Bytes of answers that may be there unread: about what one fetch brings."""


def pieces(field: Any, item: Any) -> Iterator[bytes | bytearray]:
    """What `field.encode(item)` joins, byte strings as they are."""
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
    """`AIOKafkaConnection.send` of a request that is answered."""
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


def _short_cut(send: Write) -> Write:
    @wraps(send)
    def short(connection: Any, request: Any, expect_response: bool = True) -> Any:
        if isinstance(request, ProduceRequest) and expect_response and connection._writer is not None:
            return _produce(connection, request)
        return send(connection, request, expect_response)

    return short


def _unless_closed(write: Write) -> Write:
    """What a closed connection can't take is a connection that is broken, as aiokafka knows it."""

    @wraps(write)
    def checked(connection: Any, *args: Any, **kwargs: Any) -> Any:
        writer = connection._writer
        if writer is not None and writer.transport.is_closing():
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
        return write(connection, *args, **kwargs)

    return checked


conn.READER_LIMIT = READ_AHEAD
AIOKafkaConnection.send = _unless_closed(_short_cut(AIOKafkaConnection.send))
AIOKafkaConnection._send_sasl_token = _unless_closed(AIOKafkaConnection._send_sasl_token)
