"""What users write: a stage is a function of one value that returns values. It holds no loop and no try."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from pipeline.errors import UsageError
from pipeline.runtime.tables.views import TableView
from pipeline.topics.records import Incoming, Record

Values = Iterable[Any]


class PartitionsRevoked(Exception):
    """Raised by `Scope.wait` when partitions move: the record will be delivered again, here or elsewhere."""


class StageContext:
    """What a stage may look at beside its value: the source record and the app's tables.

    `attempt` is how often this record failed before, in this process.
    """

    __slots__ = ("_owned", "_persist", "_publish", "_tables", "_wait", "_when_committed", "attempt", "record")

    def __init__(
        self,
        record: Incoming,
        tables: Mapping[str, TableView],
        *,
        wait: Callable[[float], Awaitable[None]] | None = None,
        persist: Callable[[], Awaitable[None]] | None = None,
        publish: Callable[[Iterable[Record]], Awaitable[None]] | None = None,
        owned: Callable[[], bool] | None = None,
        when_committed: Callable[[Callable[[], None]], None] | None = None,
        attempt: int = 0,
    ) -> None:
        self.record = record
        self._tables = tables
        self._wait = wait
        self._persist = persist
        self._publish = publish
        self._owned = owned
        self._when_committed = when_committed
        self.attempt = attempt

    def table(self, name: str) -> TableView:
        """The table `name`, as this record's partition sees it."""
        return self._tables[name]

    async def wait(self, seconds: float) -> None:
        """Waits, in a concurrent stage, without holding up a rebalance. Let what it raises pass."""
        if self._wait is None:
            raise TypeError("only a concurrent stage can wait")
        await self._wait(seconds)

    def owned(self) -> bool:
        """Whether this process is sure to own the record's partition still. Ask right before what can't be undone.

        A process that was stopped or suspended for longer than its session is not, until the group has heard of it.
        """
        return self._owned is None or self._owned()

    async def persist(self) -> None:
        """Makes this record's table writes durable now, in a concurrent stage, whatever becomes of the record."""
        if self._persist is None:
            raise TypeError("only a concurrent stage can persist before its record is finished")
        await self._persist()

    async def publish(self, records: Iterable[Record]) -> None:
        """Publishes now, in a concurrent stage, whatever becomes of the record in hand; returns when acknowledged.

        For what is worth most when it is early and does no harm twice: a retry or a redelivery publishes it again.
        Raises `OversizeRecord` for what the broker does not take.
        """
        if self._publish is None:
            raise TypeError("only a concurrent stage can publish before its record is finished")
        await self._publish(records)

    def when_committed(self, then: Callable[[], None]) -> None:
        """Calls `then` once this record's offset is committed, in a concurrent stage.

        From then on the group does not deliver the record again. Where partitions move or the process ends before that,
        nothing is called; the record may then be delivered again. `then` neither raises nor takes long.
        """
        if self._when_committed is None:
            raise TypeError("only a concurrent stage can wait for its record's commit")
        self._when_committed(then)


@dataclass(frozen=True, slots=True)
class Stage:
    """A quick, synchronous step. Stages of one flow are chained: no topic lies between them.

    Attributes:
        name: names the stage's dead letters and metrics.
        function: `(value, scope) -> values`. The first stage's value is the source record itself (`Incoming`);
            what the last one returns must be `Record`s. An exception makes all of the source record's outputs
            and table writes undone; see `pipeline.errors` for which ones are retried.
    """

    name: str
    function: Callable[[Any, StageContext], Values]


@dataclass(frozen=True, slots=True)
class ConcurrentStage:
    """A slow, asynchronous step: runs for many lanes at once, in order within each.

    Attributes:
        decode: from the source record to the value that `function` and `lane` take.
        lane: what must stay in order, e.g. the conversation. Nothing waits behind another lane's failure.
        function: `async (value, scope) -> Records`.
        concurrency: how many values are worked on at once, those that are in `Scope.wait` not counted.
        last_word: `async (value, scope, error) -> Records` that go out before the dead letter of a value that is given
            up. What it raises is logged, and no more; after `Unavailable` the value is tried again instead.
    """

    name: str
    function: Callable[[Any, StageContext], Awaitable[Iterable[Record]]]
    decode: Callable[[Incoming], Any]
    ordering_key: Callable[[Any], Hashable]
    concurrency: int = 100
    on_give_up: Callable[[Any, StageContext, Exception], Awaitable[Iterable[Record]]] | None = None


@dataclass(frozen=True, slots=True)
class Through:
    """A topic put between two chained stages: the chain becomes two hops, and nothing else changes.

    Attributes:
        encode: from what the stage before returns to a record of `topic`.
        decode: from a record of `topic` to what the stage after takes.
    """

    topic: str
    encode: Callable[[Any, StageContext], Record]
    decode: Callable[[Incoming], Any]


def split_hops(source: str, steps: Sequence[Stage | Through | ConcurrentStage]) -> list[tuple[str, tuple[Stage, ...]]]:
    """Cuts a chain at its links: `(source topic, stages)` for each hop. Raises `UsageError` for what is no chain.

    What fails in a link's `encode` is a dead letter of the stage before it, in its `decode` of the one after.
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
            raise UsageError(f"the flow from {source} is no chain: links stand between stages, a ConcurrentStage alone")
    if not stages:
        raise UsageError(f"the flow from {source} has no stages")
    return [*hops, (source, tuple(stages))]


def _encoder(link: Through, before: Stage) -> Stage:
    return Stage(before.name, lambda value, scope: (link.encode(value, scope),))


def _decoder(link: Through, after: Stage) -> Stage:
    return Stage(after.name, lambda record, _: (link.decode(record),))
