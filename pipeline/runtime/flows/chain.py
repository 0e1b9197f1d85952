"""Running a chain of quick stages over a batch: no I/O, no clock, so that tests can run it in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from pipeline.errors import OversizeRecord, WorkerDied
from pipeline.logging import hold_record
from pipeline.runtime.flows.breaker import OFF, Breaker
from pipeline.runtime.flows.dead_letters import dead_letter, is_dead_letter, rejected_by_broker
from pipeline.runtime.flows.retry import RetryPolicy
from pipeline.runtime.flows.stage import Stage, StageContext
from pipeline.runtime.tables.views import TableRows, TableView, TableWrite, UncommittedWrites, rollback
from pipeline.topics.records import Incoming, Record

MAX_RECORD_BYTES = 4 * 1024 * 1024 - 16 * 1024
"""The largest output: what the catalogue's topics take, less what the broker adds."""

MAX_OUTPUT_BYTES = 16 * 1024 * 1024
"""Of all outputs of one record, which are in memory together: all of them are published or none."""

Stores = Callable[[str, int], TableRows]


Records = TypeVar("Records", bound=Sequence[Record])
Output = tuple[Record, Incoming]
"""A record to publish and the source record that it came from."""


class OutputSink(Protocol):
    """Where outputs go as they are made: a list, or what puts them into batches at once."""

    def extend(self, outputs: Iterable[Output], /) -> None: ...


class PendingRetry(NamedTuple):
    """A record that waits for another try, or, without an error, behind one of its key that does.

    Attributes:
        stage: the one that it failed in.
    """

    record: Incoming
    attempts: int
    error: Exception | None = None
    stage: str = ""


@dataclass(slots=True)
class ChainResult:
    """What a pass over a batch came to.

    Attributes:
        held: what must be tried again, in order; empty when the batch is finished.
        ends: where in `marks` the writes of a record end, by offset, for each that wrote any.
        dead: how many records were given up.
    """

    writes: list[TableWrite] = field(default_factory=list)
    write_ends: list[tuple[int, int]] = field(default_factory=list)
    pending: list[PendingRetry] = field(default_factory=list)
    dead: int = 0


class _Failure(Exception):
    """Carries the name of the stage in which a record failed."""

    def __init__(self, stage: str, error: Exception) -> None:
        super().__init__(stage)
        self.stage = stage
        self.error = error


class Chain:
    """Stages that are run one behind the other for each source record, atomically: all of its outputs or none."""

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        tables: Iterable[str],
        stores: Stores,
        pending: UncommittedWrites,
        retries: RetryPolicy,
        breaker: Breaker | None = None,
        largest: int = MAX_RECORD_BYTES,
        most: int = MAX_OUTPUT_BYTES,
    ) -> None:
        self._stages = stages
        self._tables = tuple(tables)
        self._stores = stores
        self._pending = pending
        self._retries = retries
        self._breaker = breaker or Breaker(OFF)
        self._largest = largest
        self._most = most

    def run(
        self, partition: int, records: Iterable[Incoming], outputs: OutputSink, so_far: ChainResult | None = None
    ) -> ChainResult:
        """One pass over the records of one partition. What comes out of them is added to `outputs`.

        A pass may be made in several goes: each takes what came of the ones before it as `so_far`, and gives it back.
        """
        return self._pass(partition, ((record, 0) for record in records), outputs, so_far or ChainResult())

    def retry(self, partition: int, held: Sequence[PendingRetry], outputs: OutputSink) -> ChainResult:
        """Another pass over what the last one held back."""
        return self._pass(partition, ((item.record, item.attempts) for item in held), outputs, ChainResult())

    def rollback(self, result: ChainResult, offsets: Collection[int]) -> None:
        """Takes back the table writes of the records at these offsets: the broker refused their outputs."""
        kept, failed, start = list[TableWrite](), list[TableWrite](), 0
        for offset, end in result.write_ends:
            (failed if offset in offsets else kept).extend(result.writes[start:end])
            start = end
        result.writes[:] = kept + failed
        rollback(result.writes, len(kept), self._pending)

    def give_up(
        self, record: Incoming, error: WorkerDied, outputs: OutputSink, so_far: ChainResult | None = None
    ) -> ChainResult:
        """Makes a record a dead letter of the first stage without running it."""
        result = so_far or ChainResult()
        result.dead += 1
        outputs.extend([(dead_letter(record, self._stages[0].name, error, error.deaths), record)])
        return result

    def to_dead_letter(self, output: Output) -> Output:
        """The dead letter of the record that a refused output came from; the same if it is a dead letter itself."""
        record, source = output
        if is_dead_letter(record):
            return output
        return dead_letter(source, self._stages[-1].name, rejected_by_broker(record), 1), source

    def _pass(
        self, partition: int, todo: Iterable[tuple[Incoming, int]], outputs: OutputSink, result: ChainResult
    ) -> ChainResult:
        tables = self._views(partition, result.writes)
        scope: Any = None  # one for all: the stages are done with it when the next record comes
        waiting = {held.record.key for held in result.pending}
        fresh = 0  # first tries that went through since the last failure
        for record, attempts in todo:
            if waiting and record.key in waiting:
                result.pending.append(PendingRetry(record, attempts))
                continue
            length = len(result.writes)
            if scope is None:
                scope = StageContext(record, tables)
                hold_record(scope)
            scope.record = record
            try:
                outputs.extend([(output, record) for output in self._apply(scope)])
            except _Failure as failure:
                rollback(result.writes, length, self._pending)
                self._breaker.succeeded(fresh)
                fresh = 0
                self._failed(PendingRetry(record, attempts + 1, failure.error, failure.stage), result, outputs, waiting)
            else:
                if len(result.writes) > length:
                    result.write_ends.append((record.offset, len(result.writes)))
                if attempts:
                    self._breaker.recovered(exhausted=attempts >= self._retries.attempts)
                else:
                    fresh += 1
        self._breaker.succeeded(fresh)
        hold_record(None)
        return result

    def _apply(self, scope: StageContext) -> Sequence[Record]:
        """What the stages make of the scope's record."""
        try:
            return self._collected(self._made(0, scope.record, scope))
        except _Failure:
            raise
        except Exception as error:
            raise _Failure(self._stages[-1].name, error) from error

    def _made(self, start: int, value: Any, scope: StageContext) -> Iterable[Any]:
        """What the stages from `start` on make of a value."""
        for number in range(start, len(self._stages)):
            stage = self._stages[number]
            try:
                found = stage.function(value, scope)
            except Exception as error:
                raise _Failure(stage.name, error) from error
            if type(found) is not tuple or len(found) != 1:  # nearly never
                return self._each(number, found, scope)
            value = found[0]
        return (value,)

    def _each(self, number: int, values: Iterable[Any], scope: StageContext) -> Iterator[Any]:
        """What comes of the values that a stage returned, one behind the other: none is made before it is needed."""
        try:
            for value in values:
                yield from self._made(number + 1, value, scope)
        except _Failure:
            raise
        except Exception as error:
            raise _Failure(self._stages[number].name, error) from error

    def _collected(self, values: Iterable[Record]) -> Sequence[Record]:
        """All outputs of a record. Raises as soon as they are too much together, before the rest is made."""
        if type(values) is tuple:
            return require_publishable(values, self._largest)
        made, size = list[Record](), 0
        for record in values:
            _require_publishable(record, self._largest)
            size += len(record.value)
            if size > self._most:
                raise OversizeRecord(f"more than {self._most} bytes of outputs")
            made.append(record)
        return made

    def _failed(self, item: PendingRetry, result: ChainResult, outputs: OutputSink, waiting: set[bytes | None]) -> None:
        record, attempts, error, stage = item
        if error is not None and attempts == 1:
            self._breaker.failed(error)
        if error is not None and self._retries.gives_up(error, attempts) and not self._breaker.forbids_giving_up(error):
            result.dead += 1
            outputs.extend([(dead_letter(record, stage, error, attempts), record)])
        else:
            waiting.add(record.key)
            result.pending.append(item)

    def _views(self, partition: int, journal: list[TableWrite]) -> dict[str, TableView]:
        return {
            name: TableView(
                name, partition, self._stores(name, partition), self._pending.rows(name, partition), journal
            )
            for name in self._tables
        }


def require_publishable(records: Records, largest: int = MAX_RECORD_BYTES) -> Records:
    """The records. Raises `OversizeRecord` or `TypeError` for one that can't be published.

    It is told before any is sent: afterwards it would take the process along, again and again.
    """
    for record in records:
        _require_publishable(record, largest)
    return records


def _require_publishable(record: Record, largest: int) -> None:
    if type(record.value) is not bytes or type(record.key) is not bytes:
        raise TypeError(f"a stage returned a {type(record).__name__} for {record.topic} that is not of bytes")
    if len(record.value) > largest:
        raise OversizeRecord(f"{len(record.value)} bytes for {record.topic}")


def shortest_delay(held: Mapping[int, Sequence[PendingRetry]], retries: RetryPolicy) -> float:
    """Seconds until the first of the held records may be tried again."""
    failed = [item for items in held.values() for item in items if item.error is not None]
    return min(retries.delay(item.error, item.attempts) for item in failed if item.error is not None)
