"""Records whose headers have names that are no UTF-8.

Kafka's protocol says that a name is UTF-8, no broker checks it, and aiokafka can't decode a batch with another one: a
single record would end every worker that fetches it, for good. The names are escaped (`\\xff`) here, the rest is as it
was. Importing this does it for all consumers of the process.

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
"""Bytes of a batch that its length does not count."""


class KeptRecords(MemoryRecords):  # type: ignore[misc]
    """A fetch's records that can be read again. Nothing is copied: its batches keep these bytes anyway."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._content = content
        self._at = 0

    def next_batch(self) -> KeptBatch:
        """There must be one."""
        (length,) = struct.unpack_from(">i", self._content, self._at + _LENGTH_OFFSET)
        start, self._at = self._at, self._at + _OVERHEAD + length
        return KeptBatch(super().next_batch(), self._content, slice(start, self._at))


class KeptBatch:
    """A batch, and where its bytes are."""

    __slots__ = ("_batch", "_content", "_place")

    def __init__(self, batch: Any, content: bytes, place: slice) -> None:
        self._batch = batch
        self._content = content
        self._place = place

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        """Yield its records. They begin anew, in the same order, at the first name that is no UTF-8."""
        try:
            yield from self._batch
        except UnicodeDecodeError:
            yield from _EscapedNames(memoryview(self._content)[self._place])


class _EscapedNames(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch, decoded in Python."""

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


fetcher.MemoryRecords = KeptRecords
