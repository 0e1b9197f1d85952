"""What uvloop does that asyncio doesn't, and that clients written for asyncio must survive."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from pipeline import aiokafka_patches
from pipeline.errors import Unavailable
from pipeline.event_loop import new_event_loop
from pipeline.state.redis import UNAVAILABLE


async def _cut_off() -> AIOKafkaConnection:
    """A connection to a broker that has just died: its transport is closed, and the client has not heard of it yet."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = AIOKafkaConnection("127.0.0.1", port)
    connection._versions = {3: (0, 1)}
    connection._reader, connection._writer = await asyncio.open_connection("127.0.0.1", port)
    connection._read_task = asyncio.create_task(asyncio.sleep(0))
    connection._writer.transport.abort()
    await connection._read_task
    server.close()
    return connection


async def _asked(send: Any) -> None:
    await send(await _cut_off(), MetadataRequest([]))


@pytest.mark.parametrize("method", ["send", "_send_sasl_token"])
def test_a_write_to_a_broker_that_is_gone_is_an_error_that_aiokafka_knows(method: str) -> None:
    """The client would lose the task that keeps its metadata: its worker would hold partitions and do nothing."""
    aiokafka_patches.install()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        with pytest.raises(KafkaConnectionError):
            runner.run(_asked(getattr(AIOKafkaConnection, method)))
        with pytest.raises(RuntimeError, match="handler is closed"):  # as it is without
            runner.run(_asked(inspect.unwrap(AIOKafkaConnection.send)))


def test_redis_is_away_where_its_connection_was_closed_under_a_write() -> None:
    """Each restart of Redis would count as failures of the events in hand, and four make a dead letter."""
    with pytest.raises(Unavailable), UNAVAILABLE:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")
    with pytest.raises(RuntimeError, match="a bug"), UNAVAILABLE:
        raise RuntimeError("a bug")
