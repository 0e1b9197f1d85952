"""Stages: functions from one value to values, without a loop and without error handling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from pipeline.backoff import RetryPauses
from pipeline.errors import UsageError
from pipeline.runtime.flows.fairness import Fairness
from pipeline.runtime.tables.views import TableView
from pipeline.topics.records import ConsumedRecord, Record

Values = Iterable[Any]


class PartitionsRevoked(Exception):
    """Raised by `ConcurrentContext.wait` when partitions move. The record is delivered again, here or elsewhere."""


class Parked(PartitionsRevoked):
    """Raised by `ConcurrentContext.wait` when the record leaves the window. It is tried again later, in order."""


class StageContext:
    """The source record of a value, and the tables of its app."""

    __slots__ = ("_tables", "record")

    def __init__(self, record: ConsumedRecord, tables: Mapping[str, TableView]) -> None:
        self.record = record
        self._tables = tables

    def table(self, name: str) -> TableView:
        """Return the table `name`, as the record's partition sees it."""
        return self._tables[name]

    def owned(self) -> bool:
        """Return True: a quick stage runs to its end before its partition can move."""
        return True


class ConcurrentContext(StageContext):
    """The context of a concurrent stage, which may also wait, persist and publish before its record is finished.

    Attributes:
        attempt: how often this record failed before, in this process.
    """

    __slots__ = ("_owned", "_persist", "_publish", "_wait", "_when_committed", "attempt")

    def __init__(
        self,
        record: ConsumedRecord,
        tables: Mapping[str, TableView],
        *,
        wait: Callable[[float], Awaitable[None]],
        persist: Callable[[], Awaitable[None]],
        publish: Callable[[Iterable[Record]], Awaitable[None]],
        owned: Callable[[], bool],
        when_committed: Callable[[Callable[[], None]], None],
        attempt: int = 0,
    ) -> None:
        super().__init__(record, tables)
        self._wait = wait
        self._persist = persist
        self._publish = publish
        self._owned = owned
        self._when_committed = when_committed
        self.attempt = attempt

    async def wait(self, seconds: float) -> None:
        """Wait without blocking a rebalance. Do not catch what this raises."""
        await self._wait(seconds)

    def owned(self) -> bool:
        """Return True if this process surely still owns the record's partition. Ask right before you act for good.

        The answer is False after the process was suspended for longer than its session, until the group has heard of
        it again.
        """
        return self._owned()

    async def persist(self) -> None:
        """Make this record's table writes durable now, even if the record fails afterwards."""
        await self._persist()

    async def publish(self, records: Iterable[Record]) -> None:
        """Publish records now, even if the record in work fails afterwards. Return when they are acknowledged.

        Use it for records that are worth most when they are early and do no harm twice: a retry or a redelivery
        publishes them again. Raises `OversizeRecord` for a record that the broker rejects.
        """
        await self._publish(records)

    def when_committed(self, then: Callable[[], None]) -> None:
        """Call `then` once this record's offset is committed.

        After that the group does not deliver the record again. If partitions move or the process ends first, `then` is
        never called, and the record may be delivered again. `then` must not raise, and must be quick.
        """
        self._when_committed(then)


@dataclass(frozen=True, slots=True)
class Stage:
    """A quick, synchronous step. Stages of one flow are chained: no topic lies between them.

    Attributes:
        name: names the stage's dead letters and metrics.
        function: `(value, context) -> values`. The first stage's value is the source record itself (`ConsumedRecord`).
            The last one must return `Record`s. An exception undoes all of the source record's outputs and table writes;
            see `pipeline.errors` for which ones are retried.
        flush: returns further outputs once a batch is run: what its records have in common. They are published with the
            batch. It must not raise. What was noted for a batch that is run again may be returned again.
    """

    name: str
    function: Callable[[Any, StageContext], Values]
    flush: Callable[[], Iterable[Record]] | None = None


@dataclass(frozen=True, slots=True)
class ConcurrentStage:
    """A slow, asynchronous step. It runs for many ordering keys at once, in order within each.

    Attributes:
        function: `async (value, context) -> Records`.
        decode: turns the source record into the value that `function` and `ordering_key` take.
        ordering_key: returns the key within which values stay in order, e.g. the conversation. A failure delays only
            values of its own key.
        concurrency: how many values are worked on at once. Values in `ConcurrentContext.wait` are not counted.
        fairness: the keys and groups that share its window and its slots fairly. None: records are taken as they come.
        on_give_up: `async (value, context, error) -> Records` that are published before the dead letter of a value
            that is given up. An exception in it is logged; after `Unavailable` the value is tried again instead.
        retries: returns the pauses between the tries of a value; None: the default ones for all.
    """

    name: str
    function: Callable[[Any, ConcurrentContext], Awaitable[Iterable[Record]]]
    decode: Callable[[ConsumedRecord], Any]
    ordering_key: Callable[[Any], Hashable]
    concurrency: int = 100
    on_give_up: Callable[[Any, ConcurrentContext, Exception], Awaitable[Iterable[Record]]] | None = None
    fairness: Fairness | None = None
    retries: Callable[[Any], RetryPauses] | None = None


@dataclass(frozen=True, slots=True)
class Through:
    """A topic between two chained stages. It cuts the chain into two hops and changes nothing else.

    Attributes:
        encode: turns a value of the stage before into a record of `topic`.
        decode: turns a record of `topic` into a value for the stage after.
    """

    topic: str
    encode: Callable[[Any, StageContext], Record]
    decode: Callable[[ConsumedRecord], Any]


def split_hops(source: str, steps: Sequence[Stage | Through | ConcurrentStage]) -> list[tuple[str, tuple[Stage, ...]]]:
    """Cut a chain at its `Through` topics into `(source topic, stages)` for each hop.

    A failure in `Through.encode` is a dead letter of the stage before it, one in `Through.decode` of the stage after.
    Raises `UsageError` for steps that are no chain.
    """
    hops: list[tuple[str, tuple[Stage, ...]]] = []
    stages: list[Stage] = []
    for step, after in zip_longest(steps, steps[1:]):
        if isinstance(step, Stage):
            stages.append(step)
        elif isinstance(step, Through) and stages and isinstance(after, Stage):
            hops.append((source, (*stages, _encoder(step, stages[-1]))))
            source, stages = step.topic, [_decoder(step, after)]
        else:
            raise UsageError(
                f"the flow from {source} is no chain: a Through stands between two stages, a ConcurrentStage alone"
            )
    if not stages:
        raise UsageError(f"the flow from {source} has no stages")
    return [*hops, (source, tuple(stages))]


def _encoder(through: Through, before: Stage) -> Stage:
    return Stage(before.name, lambda value, context: (through.encode(value, context),))


def _decoder(through: Through, after: Stage) -> Stage:
    return Stage(after.name, lambda record, _: (through.decode(record),))
