"""A produce request in pieces is the request that aiokafka would have made."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import aiokafka_patches
from pipeline.aiokafka_patches.connection import pieces

TOPICS = st.lists(
    st.tuples(
        st.text(max_size=9),
        st.lists(st.tuples(st.integers(0, 99), st.one_of(st.binary(), st.binary().map(bytearray), st.none()))),
    )
)
STOCK: Any = inspect.unwrap(AIOKafkaConnection.send)


@pytest.fixture(autouse=True)
def patched() -> None:
    aiokafka_patches.install()


class Writer:
    """Stands for a connection's stream."""

    def __init__(self, error: OSError | None = None) -> None:
        self.written: list[Any] = []
        self.transport = self
        self._error = error

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.writelines([data])

    def writelines(self, parts: list[Any]) -> None:
        if self._error is not None:
            raise self._error
        self.written += parts


def _request() -> ProduceRequest:
    batches = [(0, bytearray(b"first")), (3, bytearray(b"second"))]
    return ProduceRequest(transactional_id=None, required_acks=-1, timeout=1000, topics=[("events", batches)])


async def _sent(send: Any, writer: Writer, request: Any) -> tuple[list[Any], Any]:
    """What was written, and what waits for its answer."""
    connection = AIOKafkaConnection("127.0.0.1", 1)
    connection._versions = {0: (0, 7), 3: (0, 1)}
    connection._writer = writer
    answer = send(connection, request)
    if asyncio.iscoroutine(answer):
        answer.close()
    return writer.written, [(number, type(body)) for number, body, _ in connection._requests]


@given(TOPICS, st.one_of(st.none(), st.text(max_size=5)), st.sampled_from(ProduceRequest._CLASSES))
def test_the_pieces_are_what_the_whole_is_joined_of(topics: Any, transaction: str | None, version: Any) -> None:
    """The broker would close the connection, or take one batch for another."""
    if version.API_VERSION < 3:
        transaction = None
    request = ProduceRequest(transactional_id=transaction, required_acks=-1, timeout=1000, topics=topics)
    body = request.build(version)
    found = list(pieces(body.SCHEMA, [body.get_item(name) for name in body.SCHEMA.names]))
    assert b"".join(found) == body.encode()


def test_a_produce_request_is_written_as_stock_writes_it_with_no_batch_copied() -> None:
    """Each event would be copied nine times on its way out: a tenth of what it costs in all."""
    request = _request()
    stock, waiting = asyncio.run(_sent(STOCK, Writer(), request))
    ours, ours_waiting = asyncio.run(_sent(AIOKafkaConnection.send, Writer(), request))
    assert b"".join(ours) == b"".join(stock)
    assert ours_waiting == waiting
    assert all(any(part is batch for part in ours) for _, batches in request._topics for _, batch in batches)


@pytest.mark.parametrize("request_", [MetadataRequest([]), _request()])
def test_a_broken_connection_is_an_error_that_aiokafka_knows(request_: Any) -> None:
    """A producer would end with an error that nobody retries."""
    writer = Writer(ConnectionResetError("gone"))
    with pytest.raises(KafkaConnectionError, match="gone"):
        asyncio.run(_sent(AIOKafkaConnection.send, writer, request_))
