"""What is decoded late is what aiokafka would have decoded at once."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, FetchError, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder, _DefaultRecordBatchBuilderPy
from aiokafka.record.util import calc_crc32c
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aiokafka_patches.header_names import RereadableRecords
from pipeline.runtime.faust.consumer import Consumer
from pipeline.runtime.faust.fetch_loop import FetchLoop
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.kafka.raw_fetch import LazyFetchResults, RawFetch

PLACE = TopicPartition("in", 3)
TP3 = TP("in", 3)
CONTROL = 0x20
HEADERS = st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=2)
GAPS = st.integers(1, 3)
BATCHES = st.lists(
    st.tuples(st.lists(st.tuples(GAPS, st.none() | st.binary(max_size=3), HEADERS), min_size=1), st.booleans()),
    min_size=1,
    max_size=4,
)
"""Batches of records with gaps between their offsets, as compaction leaves them; some mark the end of a transaction."""


def _written(batches: Any) -> tuple[bytes, int]:
    """As it comes from the broker, and the offset behind it."""
    content, base = b"", 0
    for records, control in batches:
        builder, offset = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 20), -1
        for gap, value, headers in records:
            offset += gap
            builder.append(offset, 1_000 + offset, b"key", value, headers)
        content += _placed(bytearray(builder.build()), base, control)
        base += offset + 1
    return content, base


def _placed(batch: bytearray, base: int, control: bool) -> bytes:
    struct.pack_into(">q", batch, 0, base)
    struct.pack_into(">h", batch, 21, CONTROL if control else 0)
    struct.pack_into(">I", batch, 17, calc_crc32c(bytes(batch[21:])))
    return bytes(batch)


def _partition(content: bytes, offset: int) -> PartitionRecords:
    return PartitionRecords(PLACE, RereadableRecords(content), [], offset, None, None, True, READ_UNCOMMITTED)


def _undecoded(content: bytes, offset: int) -> tuple[PartitionRecords, RawFetch | None]:
    found, results = _partition(content, offset), LazyFetchResults({"in"})
    results[TP3] = FetchResult(PLACE, assignment=None, partition_records=found, backoff=0)
    return found, next(results[TP3]._partition_records, None)


def _seen(record: Any) -> tuple[Any, ...]:
    place = (record.topic, record.partition, record.offset, record.timestamp)
    return (*place, record.key, record.value, list(record.headers))


@given(BATCHES, st.integers(0, 20))
def test_late_or_at_once_it_is_the_same(batches: Any, offset: int) -> None:
    """Records would be lost or repeated wherever a fetch begins in the midst of a batch, or after compaction."""
    content, _ = _written(batches)
    offset %= _written(batches[:1])[1]  # a broker's answer begins with the batch that holds the offset
    stock = _partition(content, offset)
    at_once = [_seen(record) for record in stock]
    found, fetched = _undecoded(content, offset)
    late = [_seen(record) for record in fetched.records(0)] if fetched else []
    assert late == at_once
    assert found.next_fetch_offset == stock.next_fetch_offset
    assert fetched is None or fetched.count >= len(late)


def test_a_flipped_bit_is_found_before_anything_is_handed_over() -> None:
    """A damaged message would be answered."""
    content = bytearray(_written([([(1, b"value", [])], False)])[0])
    content[-3] ^= 1
    with pytest.raises(CorruptRecordException):
        _undecoded(bytes(content), 0)


def test_tables_and_plain_agents_get_records_as_ever() -> None:
    """Recovery and Faust's own agents would be given what they can't read."""
    results = LazyFetchResults({"other"})
    found, error = _partition(_written([([(1, b"v", [])], False)])[0], 0), FetchError(error=OSError(), backoff=0)
    results[TP3] = FetchResult(PLACE, assignment=None, partition_records=found, backoff=0)
    results[TP("other", 0)] = error
    assert [record.value for record in results[TP3]._partition_records] == [b"v"]
    assert results[TP("other", 0)] is error


@given(BATCHES, st.integers(0, 9), st.integers(1, 5))
def test_a_partition_is_read_to_its_last_record_when_that_is_taken(batches: Any, read: int, limit: int) -> None:
    """A probe would find a partition late for ever for the marker of a transaction, and restart its worker each time.

    And what was read before would be handled again.
    """
    content, end = _written(batches)
    consumer: Any = object.__new__(Consumer)
    consumer.buffers, consumer._read_offset = {"in": FetchBuffer()}, {TP3: read}
    stock = [record.offset for record in _partition(content, 0) if record.offset >= read]
    _, fetched = _undecoded(content, 0)
    FetchLoop(consumer).buffer(TP3, [fetched] if fetched else [])
    assert not stock or consumer._read_offset[TP3] in (end, stock[-1] + 1)
    taken = []
    while consumer.buffers["in"].not_empty.is_set():
        taken += [record.offset for record in consumer.buffers["in"].pop(TP3, limit)]
    assert taken == stock
    assert consumer._read_offset[TP3] == (stock[-1] + 1 if stock else read)
    assert len(consumer.buffers["in"]) == 0


@pytest.mark.parametrize("compression", [0, 1])
def test_a_header_with_a_name_that_is_no_utf8_is_escaped(compression: int) -> None:
    """One record that anybody wrote to a topic would end every worker that fetches it, for good."""
    builder = _DefaultRecordBatchBuilderPy(2, compression, 0, -1, -1, 0, 1 << 20)
    named: list[list[tuple[str, bytes | None]]] = [[("fine", b"0")], [("nXme", b"1"), ("nul", None)], [("fine", b"2")]]
    for offset, headers in enumerate(named):
        builder.append(offset, 1_000 + offset, None if offset else b"key", b"v", headers)
    builder._buffer[:] = builder._buffer.replace(b"nXme", b"n\xffme")
    content = _placed(bytearray(builder.build()), 0, False)
    stock = [_seen(record) for record in _partition(content, 0)]
    _, fetched = _undecoded(content, 0)
    assert fetched is not None
    assert [_seen(record) for record in fetched.records(0)] == stock
    found = [_seen(record)[2:] for record in _partition(content, 0)]
    assert found == [
        (0, 1_000, b"key", b"v", [("fine", b"0")]),
        (1, 1_001, None, b"v", [("n\\xffme", b"1"), ("nul", None)]),
        (2, 1_002, None, b"v", [("fine", b"2")]),
    ]
