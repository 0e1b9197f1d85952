"""A chain of quick stages, run over a batch. It does no I/O and reads no clock, so that tests can run it in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from pipeline.backoff import RetryPolicy
from pipeline.errors import OversizeRecord, WorkerDied
from pipeline.logging import bind_record
from pipeline.runtime.flows.breaker import OFF, Breaker
from pipeline.runtime.flows.dead_letters import dead_letter, is_dead_letter, rejected_by_broker
from pipeline.runtime.flows.stage import Stage, StageContext
from pipeline.runtime.tables.tables import Tables
from pipeline.runtime.tables.views import TableWrite
from pipeline.topics.records import ConsumedRecord, Output, Record

MAX_RECORD_BYTES = 4 * 1024 * 1024 - 16 * 1024
"""Bytes of the largest output: the limit of the catalogue's topics, less what the broker adds."""

MAX_OUTPUT_BYTES = 16 * 1024 * 1024
"""Bytes of all outputs of one record. All are in memory together, because all are published or none."""

Records = TypeVar("Records", bound=Sequence[Record])


class OutputSink(Protocol):
    """Takes outputs as they are made: a list, or an accumulator that puts them into batches at once."""

    def extend(self, outputs: Iterable[Output], /) -> None: ...


class PendingRetry(NamedTuple):
    """A record that waits for another try. Without an error it waits behind one of its key that does.

    Attributes:
        stage: the stage that it failed in.
    """

    record: ConsumedRecord
    attempts: int
    error: Exception | None = None
    stage: str = ""


@dataclass(slots=True)
class ChainResult:
    """The result of running a chain over records of one partition.

    Attributes:
        write_ends: for each record that wrote any row: its offset, and where in `writes` its rows end.
        pending: records that must be tried again, in order; empty when all are finished.
        dead: number of records that were given up.
    """

    writes: list[TableWrite] = field(default_factory=list)
    write_ends: list[tuple[int, int]] = field(default_factory=list)
    pending: list[PendingRetry] = field(default_factory=list)
    dead: int = 0


class _StageFailed(Exception):
    """Carries the name of the stage in which a record failed."""

    def __init__(self, stage: str, error: Exception) -> None:
        super().__init__(stage)
        self.stage = stage
        self.error = error


class Chain:
    """Stages that run one after the other for each source record, atomically: all of its outputs or none."""

    def __init__(
        self,
        stages: Sequence[Stage],
        tables: Tables,
        retries: RetryPolicy,
        breaker: Breaker | None = None,
        *,
        max_record_bytes: int = MAX_RECORD_BYTES,
        max_output_bytes: int = MAX_OUTPUT_BYTES,
    ) -> None:
        self._stages = stages
        self._flushes = [stage.flush for stage in stages if stage.flush]
        self._tables = tables
        self._retries = retries
        self._breaker = breaker or Breaker(OFF)
        self._max_record_bytes = max_record_bytes
        self._max_output_bytes = max_output_bytes

    def run(
        self, partition: int, records: Iterable[ConsumedRecord], outputs: OutputSink, so_far: ChainResult | None = None
    ) -> ChainResult:
        """Run the records of one partition, and add what they become to `outputs`.

        A batch may be run in several chunks: each takes the result of the ones before it as `so_far` and returns it.
        """
        return self._run(partition, ((record, 0) for record in records), outputs, so_far or ChainResult())

    def retry(self, partition: int, pending: Sequence[PendingRetry], outputs: OutputSink) -> ChainResult:
        """Run the records again that the last run left pending."""
        return self._run(partition, ((item.record, item.attempts) for item in pending), outputs, ChainResult())

    def flush(self, source: ConsumedRecord, outputs: OutputSink) -> None:
        """Add what the stages have to say about the batch that ends with the record `source`."""
        for flush in self._flushes:
            outputs.extend([(record, source) for record in flush()])

    def rollback(self, result: ChainResult, offsets: Collection[int]) -> None:
        """Undo the table writes of the records at these offsets, because the broker rejected their outputs."""
        kept, failed, start = list[TableWrite](), list[TableWrite](), 0
        for offset, end in result.write_ends:
            (failed if offset in offsets else kept).extend(result.writes[start:end])
            start = end
        result.writes[:] = kept + failed
        self._tables.rollback(result.writes, len(kept))

    def give_up(
        self, record: ConsumedRecord, error: WorkerDied, outputs: OutputSink, so_far: ChainResult | None = None
    ) -> ChainResult:
        """Make a record a dead letter of the first stage without running it."""
        result = so_far or ChainResult()
        result.dead += 1
        outputs.extend([(dead_letter(record, self._stages[0].name, error, error.deaths), record)])
        return result

    def to_dead_letter(self, output: Output) -> Output:
        """Return the dead letter of the record that a rejected output came from. A dead letter stays as it is."""
        record, source = output
        if is_dead_letter(record):
            return output
        return dead_letter(source, self._stages[-1].name, rejected_by_broker(record), 1), source

    def _run(
        self, partition: int, todo: Iterable[tuple[ConsumedRecord, int]], outputs: OutputSink, result: ChainResult
    ) -> ChainResult:
        tables = self._tables.views(partition, result.writes)
        context: Any = None  # one for all: the stages are done with it when the next record comes
        waiting = {item.record.key for item in result.pending}
        succeeded = 0  # first tries that succeeded since the last failure
        for record, attempts in todo:
            if waiting and record.key in waiting:
                result.pending.append(PendingRetry(record, attempts))
                continue
            length = len(result.writes)
            if context is None:
                context = StageContext(record, tables)
                bind_record(context)
            context.record = record
            try:
                outputs.extend([(output, record) for output in self._apply(context)])
            except _StageFailed as failure:
                self._tables.rollback(result.writes, length)
                self._breaker.succeeded(succeeded)
                succeeded = 0
                self._fail(PendingRetry(record, attempts + 1, failure.error, failure.stage), result, outputs, waiting)
            else:
                if len(result.writes) > length:
                    result.write_ends.append((record.offset, len(result.writes)))
                if attempts:
                    self._breaker.recovered(exhausted=self._retries.is_exhausted(attempts))
                else:
                    succeeded += 1
        self._breaker.succeeded(succeeded)
        bind_record(None)
        return result

    def _apply(self, context: StageContext) -> Sequence[Record]:
        """Return the outputs of the context's record."""
        try:
            return self._collect(self._apply_from(0, context.record, context))
        except _StageFailed:
            raise
        except Exception as error:
            raise _StageFailed(self._stages[-1].name, error) from error

    def _apply_from(self, start: int, value: Any, context: StageContext) -> Iterable[Any]:
        """Run one value through the stages from `start` on."""
        for number in range(start, len(self._stages)):
            stage = self._stages[number]
            try:
                found = stage.function(value, context)
            except Exception as error:
                raise _StageFailed(stage.name, error) from error
            # Nearly every stage returns one value in a tuple. A plain loop handles that at half the generators' cost.
            if type(found) is not tuple or len(found) != 1:
                return self._apply_to_each(number, found, context)
            value = found[0]
        return (value,)

    def _apply_to_each(self, number: int, values: Iterable[Any], context: StageContext) -> Iterator[Any]:
        """Run the values that a stage returned through the next ones. Each is made when it is needed, not before."""
        try:
            for value in values:
                yield from self._apply_from(number + 1, value, context)
        except _StageFailed:
            raise
        except Exception as error:
            raise _StageFailed(self._stages[number].name, error) from error

    def _collect(self, values: Iterable[Record]) -> Sequence[Record]:
        """Return all outputs of a record. Raise as soon as they are too large together, before the rest is made."""
        if type(values) is tuple:
            return require_publishable(values, self._max_record_bytes)
        made, size = list[Record](), 0
        for record in values:
            _require_publishable(record, self._max_record_bytes)
            size += len(record.value)
            if size > self._max_output_bytes:
                raise OversizeRecord(f"more than {self._max_output_bytes} bytes of outputs")
            made.append(record)
        return made

    def _fail(self, item: PendingRetry, result: ChainResult, outputs: OutputSink, waiting: set[bytes | None]) -> None:
        record, attempts, error, stage = item
        if error is not None and attempts == 1:
            self._breaker.failed(error)
        if error is not None and self._retries.gives_up(error, attempts) and not self._breaker.forbids_giving_up(error):
            result.dead += 1
            outputs.extend([(dead_letter(record, stage, error, attempts), record)])
        else:
            waiting.add(record.key)
            result.pending.append(item)


def require_publishable(records: Records, largest: int = MAX_RECORD_BYTES) -> Records:
    """Return the records. Raise `OversizeRecord` or `TypeError` for one that can't be published.

    They are checked before any is sent. A failure of the producer would end the process, again after every restart.
    """
    for record in records:
        _require_publishable(record, largest)
    return records


def _require_publishable(record: Record, largest: int) -> None:
    if type(record.value) is not bytes or type(record.key) is not bytes:
        raise TypeError(f"a stage returned a {type(record).__name__} for {record.topic} that is not of bytes")
    if len(record.value) > largest:
        raise OversizeRecord(f"{len(record.value)} bytes for {record.topic}")


def shortest_delay(pending: Mapping[int, Sequence[PendingRetry]], retries: RetryPolicy) -> float:
    """Return the seconds until the first of the pending records may be tried again."""
    failed = [item for items in pending.values() for item in items if item.error is not None]
    return min(retries.delay_after(item.error, item.attempts) for item in failed if item.error is not None)
