"""Write files to the topic `uploads` while they arrive.

The producer is not the webhooks' own: pieces are large, and no webhook waits behind them. It starts with the first
upload. It is not idempotent, so that no failure leaves a gap in its sequence numbers; the index of a piece tells
repetitions apart.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline import aiokafka_patches
from pipeline.errors import Unavailable
from pipeline.logging import get_logger
from pipeline.topics.catalogue import UPLOADS
from pipeline.topics.records import Record
from pipeline.topics.uploads import PIECE, PIECE_BYTES, StoredUpload

REQUEST_TIMEOUT: Final = 5.0
"""Seconds in which the broker must acknowledge a piece."""
CLOSE_TIMEOUT: Final = 1.0
"""Seconds for closing the connections."""

_log = get_logger(__name__)


class Position(NamedTuple):
    """The partition and the offset of a record."""

    partition: int
    offset: int


class PieceStore(Protocol):
    """Keeps pieces of files."""

    async def publish(self, record: Record) -> Position:
        """Return when all in-sync replicas have the record. Raises `Unavailable`."""


class UploadTopic:
    """The topic `uploads`, a `PieceStore`. Made and used on one event loop."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def publish(self, record: Record) -> Position:
        """Return when all in-sync replicas have the record. Raises `Unavailable`."""
        producer = await self._started()
        try:
            done = await producer.send_and_wait(record.topic, record.value, record.key, headers=record.headers)
        except (KafkaError, OSError) as error:
            if not getattr(error, "retriable", True):
                await self._discard(producer)
            _log.warning(
                "upload_not_stored",
                detail="its caller got 503; if the topic is missing, run `pipeline topics create`",
                topic=UPLOADS.name,
                error=type(error).__name__,
            )
            raise Unavailable(f"the topic {UPLOADS.name} takes nothing ({type(error).__name__})") from None
        return Position(done.partition, done.offset)

    async def close(self) -> None:
        """Close the connections. Pieces that are not acknowledged belong to requests that got no 200."""
        if self._producer is not None:
            await self._discard(self._producer)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            self._producer = self._producer or await _start(self._bootstrap)
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        """Close a producer that may not work any more. The next piece makes another."""
        if self._producer is producer:
            self._producer = None
        with suppress(TimeoutError):
            await asyncio.wait_for(producer.stop(), CLOSE_TIMEOUT)


class FileWriter:
    """Stores one file piece by piece. A file that is not finished is never named, and goes with the topic's retention.

    Attributes:
        size: bytes so far.
    """

    def __init__(self, store: PieceStore) -> None:
        self._store = store
        self._id = f"upload-{uuid4().hex}"
        self._waiting = bytearray()
        self._hash = hashlib.sha256()
        self._positions: list[Position] = []
        self.size = 0

    async def write(self, data: bytes) -> int:
        """Add bytes; return how many fewer are held than before with them. Raises `Unavailable`."""
        self._hash.update(data)
        self._waiting += data
        self.size += len(data)
        stored = 0
        while len(self._waiting) > PIECE_BYTES:
            await self._publish(bytes(self._waiting[:PIECE_BYTES]))
            del self._waiting[:PIECE_BYTES]
            stored += PIECE_BYTES
        return stored

    async def finish(self) -> None:
        """Store the last piece. Raises `Unavailable`."""
        await self._publish(bytes(self._waiting))
        self._waiting.clear()

    def described(self, mime_type: str, filename: str) -> StoredUpload:
        """Return the file as events and commands name it; before `finish` its place is not valid yet."""
        first, last = (self._positions[0], self._positions[-1]) if self._positions else (Position(0, 0),) * 2
        return StoredUpload(
            id=self._id,
            partition=first.partition,
            first=first.offset,
            last=last.offset,
            size=self.size,
            sha256=self._hash.hexdigest(),
            mime_type=mime_type,
            filename=filename,
        )

    async def _publish(self, piece: bytes) -> None:
        index = str(len(self._positions)).encode()
        at = await self._store.publish(Record(UPLOADS.name, self._id.encode(), piece, [(PIECE, index)]))
        if at.offset < 0 or (self._positions and at.partition != self._positions[0].partition):
            raise Unavailable("it is not known where a piece is, or it is on another partition than the first one")
        self._positions.append(at)


class Discarded:
    """Stands for the topic where a file is only compared with one that is stored already."""

    async def publish(self, record: Record) -> Position:
        """Keep nothing."""
        return Position(0, 0)


async def _start(bootstrap: str) -> AIOKafkaProducer:
    """Return a producer that is connected. Raises `Unavailable`."""
    aiokafka_patches.install()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, client_id="pipeline-uploads", **_options())
    try:
        await producer.start()
    except (KafkaError, OSError) as error:
        await producer.stop()
        raise Unavailable(f"no connection to the broker ({type(error).__name__})") from None
    return producer


def _options() -> Mapping[str, Any]:
    largest = 2 * PIECE_BYTES
    return {
        "acks": "all",
        "max_request_size": largest,
        "max_batch_size": largest,
        "request_timeout_ms": int(REQUEST_TIMEOUT * 1000),
    }
