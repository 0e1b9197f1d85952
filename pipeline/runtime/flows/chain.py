"""Running a chain of quick stages over a batch: no I/O, no clock, so that tests can run it in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from pipeline.errors import OversizeRecord, WorkerDied
from pipeline.logging import bind_record
from pipeline.runtime.flows.breaker import OFF, Breaker
from pipeline.runtime.flows.dead_letters import dead_letter, is_dead_letter, refused
from pipeline.runtime.flows.retry import Retries
from pipeline.runtime.flows.stage import Scope, Stage
from pipeline.runtime.tables.views import Mark, Pending, Store, TableView, undo
from pipeline.topics.records import Incoming, Record

MAX_RECORD_BYTES = 4 * 1024 * 1024 - 16 * 1024
"""The largest output: what the catalogue's topics take, less what the broker adds."""

MAX_OUTPUT_BYTES = 16 * 1024 * 1024
"""Of all outputs of one record, which are in memory together: all of them are published or none."""

Stores = Callable[[str, int], Store]


Records = TypeVar("Records", bound=Sequence[Record])
Output = tuple[Record, Incoming]
"""A record to publish and the source record that it came from."""


class Outputs(Protocol):
    """Where outputs go as they are made: a list, or what puts them into batches at once."""

    def extend(self, outputs: Iterable[Output], /) -> None: ...


class Held(NamedTuple):
    """A record that waits for another try, or, without an error, behind one of its key that does.

    Attributes:
        stage: the one that it failed in.
    """

    record: Incoming
    attempts: int
    error: Exception | None = None
    stage: str = ""


@dataclass(slots=True)
class Result:
    """What a pass over a batch came to.

    Attributes:
        held: what must be tried again, in order; empty when the batch is finished.
        ends: where in `marks` the writes of a record end, by offset, for each that wrote any.
        dead: how many records were given up.
    """

    marks: list[Mark] = field(default_factory=list)
    ends: list[tuple[int, int]] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
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
        pending: Pending,
        retries: Retries,
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
        self, partition: int, records: Iterable[Incoming], outputs: Outputs, so_far: Result | None = None
    ) -> Result:
        """One pass over the records of one partition. What comes out of them is added to `outputs`.

        A pass may be made in several goes: each takes what came of the ones before it as `so_far`, and gives it back.
        """
        return self._pass(partition, ((record, 0) for record in records), outputs, so_far or Result())

    def again(self, partition: int, held: Sequence[Held], outputs: Outputs) -> Result:
        """Another pass over what the last one held back."""
        return self._pass(partition, ((item.record, item.attempts) for item in held), outputs, Result())

    def take_back(self, result: Result, offsets: Collection[int]) -> None:
        """Takes back the table writes of the records at these offsets: the broker refused their outputs."""
        kept, failed, start = list[Mark](), list[Mark](), 0
        for offset, end in result.ends:
            (failed if offset in offsets else kept).extend(result.marks[start:end])
            start = end
        result.marks[:] = kept + failed
        undo(result.marks, len(kept), self._pending)

    def give_up(self, record: Incoming, error: WorkerDied, outputs: Outputs, so_far: Result | None = None) -> Result:
        """Makes a record a dead letter of the first stage without running it."""
        result = so_far or Result()
        result.dead += 1
        outputs.extend([(dead_letter(record, self._stages[0].name, error, error.deaths), record)])
        return result

    def letter(self, output: Output) -> Output:
        """The dead letter of the record that a refused output came from; the same if it is a dead letter itself."""
        record, source = output
        if is_dead_letter(record):
            return output
        return dead_letter(source, self._stages[-1].name, refused(record), 1), source

    def _pass(self, partition: int, todo: Iterable[tuple[Incoming, int]], outputs: Outputs, result: Result) -> Result:
        tables = self._views(partition, result.marks)
        scope: Any = None  # one for all: the stages are done with it when the next record comes
        waiting = {held.record.key for held in result.held}
        fresh = 0  # first tries that went through since the last failure
        for record, attempts in todo:
            if waiting and record.key in waiting:
                result.held.append(Held(record, attempts))
                continue
            length = len(result.marks)
            if scope is None:
                scope = Scope(record, tables)
                bind_record(scope)
            scope.record = record
            try:
                outputs.extend([(output, record) for output in self._apply(scope)])
            except _Failure as failure:
                undo(result.marks, length, self._pending)
                self._breaker.tried(fresh)
                fresh = 0
                self._failed(Held(record, attempts + 1, failure.error, failure.stage), result, outputs, waiting)
            else:
                if len(result.marks) > length:
                    result.ends.append((record.offset, len(result.marks)))
                if attempts:
                    self._breaker.recovered(exhausted=attempts >= self._retries.attempts)
                else:
                    fresh += 1
        self._breaker.tried(fresh)
        bind_record(None)
        return result

    def _apply(self, scope: Scope) -> Sequence[Record]:
        """What the stages make of the scope's record."""
        try:
            return self._collected(self._made(0, scope.record, scope))
        except _Failure:
            raise
        except Exception as error:
            raise _Failure(self._stages[-1].name, error) from error

    def _made(self, start: int, value: Any, scope: Scope) -> Iterable[Any]:
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

    def _each(self, number: int, values: Iterable[Any], scope: Scope) -> Iterator[Any]:
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
            return checked(values, self._largest)
        made, size = list[Record](), 0
        for record in values:
            _require_publishable(record, self._largest)
            size += len(record.value)
            if size > self._most:
                raise OversizeRecord(f"more than {self._most} bytes of outputs")
            made.append(record)
        return made

    def _failed(self, item: Held, result: Result, outputs: Outputs, waiting: set[bytes | None]) -> None:
        record, attempts, error, stage = item
        if error is not None and attempts == 1:
            self._breaker.failed(error)
        if error is not None and self._retries.gives_up(error, attempts) and not self._breaker.holds(error):
            result.dead += 1
            outputs.extend([(dead_letter(record, stage, error, attempts), record)])
        else:
            waiting.add(record.key)
            result.held.append(item)

    def _views(self, partition: int, journal: list[Mark]) -> dict[str, TableView]:
        return {
            name: TableView(
                name, partition, self._stores(name, partition), self._pending.rows(name, partition), journal
            )
            for name in self._tables
        }


def checked(records: Records, largest: int = MAX_RECORD_BYTES) -> Records:
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


def pause(held: Mapping[int, Sequence[Held]], retries: Retries) -> float:
    """Seconds until the first of the held records may be tried again."""
    failed = [item for items in held.values() for item in items if item.error is not None]
    return min(retries.delay(item.error, item.attempts) for item in failed if item.error is not None)
