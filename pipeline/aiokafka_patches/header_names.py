"""Patches aiokafka's decoding of record headers whose names are not UTF-8.

Kafka's protocol requires UTF-8, but no broker checks it, and aiokafka can't decode a batch with another name. A single
such record would end every worker that fetches it, for good. Here the name is escaped (`\\xff`) and the rest of the
record is unchanged.

It overrides private names of aiokafka 0.14.0, which `tests/unit/runtime/faust/test_private_names.py` watches.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

_LENGTH_OFFSET = 8
_OVERHEAD = 12
"""Size of the part of a batch that its length field does not count, in bytes."""


class RereadableRecords(MemoryRecords):  # type: ignore[misc]
    """Fetched records that can be decoded a second time. Nothing is copied: the batches keep these bytes anyway."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._content = content
        self._at = 0

    def next_batch(self) -> RereadableBatch:
        """Return the next batch. There must be one."""
        (length,) = struct.unpack_from(">i", self._content, self._at + _LENGTH_OFFSET)
        start, self._at = self._at, self._at + _OVERHEAD + length
        return RereadableBatch(super().next_batch(), self._content, slice(start, self._at))


class RereadableBatch:
    """A batch and the position of its bytes in the fetched content."""

    __slots__ = ("_batch", "_content", "_position")

    def __init__(self, batch: Any, content: bytes, position: slice) -> None:
        self._batch = batch
        self._content = content
        self._position = position

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        """Decode the records. At the first name that is not UTF-8, start again from the first record, in order."""
        try:
            yield from self._batch
        except UnicodeDecodeError:
            yield from _EscapedNames(memoryview(self._content)[self._position])


class _EscapedNames(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch that is decoded in Python, with escaped header names."""

    def _read_msg(self, *_: Any) -> Any:
        buffer: Any = self._buffer
        length, pos = decode_varint(buffer, self._pos)
        self._pos: int = pos + length
        _attributes, pos = decode_varint(buffer, pos)
        after, pos = decode_varint(buffer, pos)
        offset, pos = decode_varint(buffer, pos)
        key, pos = _nullable(buffer, pos)
        value, pos = _nullable(buffer, pos)
        count, pos = decode_varint(buffer, pos)
        headers = []
        for _number in range(count):
            name, pos = _nullable(buffer, pos)
            held, pos = _nullable(buffer, pos)
            headers.append(((name or b"").decode(errors="backslashreplace"), held))
        logged = self.timestamp_type == self.LOG_APPEND_TIME
        timestamp = self.max_timestamp if logged else self.first_timestamp + after
        return _DefaultRecordPy(self.base_offset + offset, timestamp, self.timestamp_type, key, value, headers)


def _nullable(buffer: Any, pos: int) -> tuple[bytes | None, int]:
    length, pos = decode_varint(buffer, pos)
    return (None, pos) if length < 0 else (bytes(buffer[pos : pos + length]), pos + length)


def install() -> None:
    """Patch the fetchers of all consumers in this process."""
    fetcher.MemoryRecords = RereadableRecords
