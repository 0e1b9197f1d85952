"""The rows of parked records: their keys in the table, and their bytes.

    r <digest of source topic and fairness key: 16 bytes> <offset: 8 bytes>   the record itself
    q <digest>                                                            its queue: names, count and bytes

Records of one queue lie side by side, in the order of their offsets. Digests keep keys short, whatever the names are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

import orjson

from pipeline.errors import NewerRecord
from pipeline.runtime.flows.fairness import FairKey
from pipeline.topics.records import ConsumedRecord, Header

RECORD: Final = b"r"
QUEUE: Final = b"q"
VERSION: Final = 1
"""Version of the format of records and queues."""
_DIGEST: Final = 16
_OFFSET: Final = Struct(">q")
_HEAD: Final = Struct(">BqiiH")
"""Version, timestamp, length of the key, length of the value, number of headers. A length of -1 stands for null."""
_LENGTHS: Final = Struct(">Hi")
"""Length of a header's name and of its value."""


class ParkedRecord(NamedTuple):
    """A record that was parked, as it was consumed from its topic (`ConsumedRecord`)."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


class QueueRow(NamedTuple):
    """A queue's row.

    Attributes:
        records: number of records.
        size: bytes of their values.
        front: offset below which the queue has no record. A search from 0 would step over all that were deleted.
    """

    topic: str
    fair_key: FairKey
    records: int
    size: int
    front: int = 0


def queue_digest(topic: str, fair_key: FairKey) -> bytes:
    """Return the digest of a queue's names."""
    return hashlib.blake2b(orjson.dumps((topic, *fair_key)), digest_size=_DIGEST).digest()


def record_key(digest: bytes, offset: int) -> bytes:
    """Return the key of a record's row."""
    return RECORD + digest + _OFFSET.pack(offset)


def offset_in(key: bytes, digest: bytes) -> int | None:
    """Return the offset in a record's key; None for a row of another queue."""
    if key[0:1] != RECORD or key[1 : 1 + _DIGEST] != digest:
        return None
    return int(_OFFSET.unpack_from(key, 1 + _DIGEST)[0])


def digest_in(key: bytes) -> bytes:
    """Return the queue's digest in the key of a record's row."""
    return key[1 : 1 + _DIGEST]


def queue_key(digest: bytes) -> bytes:
    """Return the key of a queue's row."""
    return QUEUE + digest


def encode_queue(row: QueueRow) -> bytes:
    return orjson.dumps((VERSION, row.topic, *row.fair_key, row.records, row.size, row.front))


def decode_queue(row: bytes) -> QueueRow:
    """Return a queue. Raises `NewerRecord` for a format of a newer version."""
    version, *fields = orjson.loads(row)
    if version > VERSION:
        raise NewerRecord(f"a parked queue is of version {version}, and this worker knows {VERSION}")
    topic, group, key, records, size, front = fields[:6]
    return QueueRow(topic, (group, key), records, size, front)


def encode_record(record: ConsumedRecord) -> bytes:
    """Return the bytes of a record, without its place, which is in its key."""
    key, value, headers = record.key, record.value, record.headers
    parts = [
        _HEAD.pack(VERSION, record.timestamp, _length(key), _length(value), len(headers)),
        key or b"",
        value or b"",
    ]
    for name, content in headers:
        raw = name.encode(errors="surrogatepass")
        parts += (_LENGTHS.pack(len(raw), _length(content)), raw, content or b"")
    return b"".join(parts)


def timestamp_in(row: bytes) -> int:
    """Return the timestamp of a record, in ms."""
    return int(_HEAD.unpack_from(row)[1])


def decode_record(topic: str, partition: int, offset: int, row: bytes) -> ParkedRecord:
    """Return a record. Raises `NewerRecord` for a format of a newer version."""
    if row[0] > VERSION:
        raise NewerRecord(f"a parked record is of version {row[0]}, and this worker knows {VERSION}")
    _, timestamp, key_length, value_length, count = _HEAD.unpack_from(row)
    key, at = _take(row, _HEAD.size, key_length)
    value, at = _take(row, at, value_length)
    headers: list[Any] = []
    for _ in range(count):
        name_length, length = _LENGTHS.unpack_from(row, at)
        at += _LENGTHS.size
        name, at = row[at : at + name_length].decode(errors="surrogatepass"), at + name_length
        content, at = _take(row, at, length)
        headers.append((name, content))
    return ParkedRecord(topic, partition, offset, timestamp, key, value, headers)


def _length(content: bytes | None) -> int:
    return -1 if content is None else len(content)


def _take(row: bytes, at: int, length: int) -> tuple[bytes | None, int]:
    return (None, at) if length < 0 else (row[at : at + length], at + length)
