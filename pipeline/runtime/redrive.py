"""Deciding about dead letters: redrive them to where they came from, or drop them; each decision leaves a mark.

A letter is marked after its record was acknowledged. A crash in between redrives it once more, and that changes
nothing: a failed record left no effect of its event or command, but the first redrive that goes through leaves a trace,
by which the second is known as a duplicate.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError

from pipeline.errors import Unavailable
from pipeline.runtime.kafka import admin
from pipeline.runtime.kafka.idempotent_producer import RecoverableIdempotentProducer
from pipeline.topics.dead_letters import Letter, Mark, State
from pipeline.topics.records import Record

TIMEOUT: Final = 10.0
"""Seconds in which a broker that is there acknowledges what is published."""
LARGEST: Final = 8 * 1024 * 1024
"""Bytes of one request: more than any topic takes."""


class Placed(NamedTuple):
    """A record and the partition that it belongs on."""

    record: Record
    partition: int


class Refused(NamedTuple):
    """A letter about which nothing was done, and why."""

    letter: Letter
    why: str


class Decider:
    """Publishes decisions. `by` says who decides."""

    def __init__(self, bootstrap: str, producer: Any, by: str) -> None:
        self._bootstrap = bootstrap
        self._producer = producer
        self._by = by
        self._partitions: dict[str, int] = {}

    async def redrive(self, letters: Sequence[Letter]) -> list[Refused]:
        """Publishes the records of `letters` again as they were, in order, and marks them.

        Each goes to the partition that it came from: there its stage keeps its table. Returns the letters that have no
        such partition any more. Raises `Unavailable` when Kafka does not acknowledge: deciding again is safe.
        """
        await self._look_up({letter.origin_topic for letter in letters})
        refused = [Refused(letter, why) for letter in letters if (why := self._fault(letter))]
        away = {refusal.letter.id for refusal in refused}
        fit = [letter for letter in letters if letter.id not in away]
        await self._publish(Placed(letter.redriven(), letter.origin_partition) for letter in fit)
        await self._mark(fit, State.REDRIVEN)
        return refused

    async def drop(self, letters: Sequence[Letter]) -> list[Refused]:
        """Marks letters as dropped. Nothing is deleted."""
        await self._mark(letters, State.DROPPED)
        return []

    async def _look_up(self, topics: set[str]) -> None:
        new = topics - self._partitions.keys()
        if new:
            there = await admin.describe(self._bootstrap, new)
            self._partitions |= {name: there[name].partitions if name in there else 0 for name in new}

    def _fault(self, letter: Letter) -> str | None:
        partitions = self._partitions[letter.origin_topic]
        if letter.gap is not None:
            return "its records were removed before they were processed, there is nothing to redrive: drop the letter"
        if not partitions:
            return f"Kafka has no topic {letter.origin_topic}: create it, or drop the letter"
        if letter.origin_partition >= partitions:
            return f"{letter.origin_topic} has no partition {letter.origin_partition} any more: drop the letter"
        return None

    async def _mark(self, letters: Iterable[Letter], state: State) -> None:
        now = int(time.time() * 1000)
        marks = [Mark(letter.id, state, self._by, now) for letter in letters]
        await self._publish(Placed(mark.record(), mark.letter.partition) for mark in marks)

    async def _publish(self, placed: Iterable[Placed]) -> None:
        """Returns when all of it is acknowledged."""
        try:
            async with asyncio.timeout(TIMEOUT):
                await asyncio.gather(*[await self._send(each) for each in placed])
        except (KafkaError, TimeoutError) as error:
            raise Unavailable(
                f"Kafka at {self._bootstrap} did not acknowledge ({type(error).__name__}): run the same again, "
                "nothing is redriven twice"
            ) from None

    async def _send(self, placed: Placed) -> asyncio.Future[Any]:
        record = placed.record
        future: asyncio.Future[Any] = await self._producer.send(
            record.topic,
            record.value,
            key=record.key or None,  # the letter of a record without a key has an empty one
            partition=placed.partition,
            headers=list(record.headers),
        )
        return future


@asynccontextmanager
async def open_decider(bootstrap: str, by: str) -> AsyncIterator[Decider]:
    """A decider, connected. Raises `Unavailable`."""
    producer = RecoverableIdempotentProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        max_request_size=LARGEST,
        request_timeout_ms=int(TIMEOUT * 1000),
    )
    try:
        await _start(producer, bootstrap)
        yield Decider(bootstrap, producer, by)
    finally:
        await producer.stop()


async def _start(producer: Any, bootstrap: str) -> None:
    try:
        async with asyncio.timeout(TIMEOUT):
            await producer.start()
    except (KafkaError, TimeoutError, OSError) as error:
        reason = type(error).__name__
        raise Unavailable(f"can't reach Kafka at {bootstrap} ({reason}): start it or set PIPELINE_KAFKA") from None
