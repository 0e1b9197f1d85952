"""The cost of each part of the chain, in memory: µs of CPU per event, the best of several passes.

`python -m bench.intake.parts TASK RESULT` writes them by name.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson
import rocksdict
from faust.stores.rocksdb import RocksDBOptions

from bench import webhooks
from bench.candidate import Task, read_task, tune
from bench.intake.settings import tenants_of
from pipeline.agents.deduplicate import deduplicate
from pipeline.agents.parse import parse
from pipeline.agents.route import route
from pipeline.backoff import STAGE_RETRIES
from pipeline.providers import PROVIDERS
from pipeline.runtime import Stage, StageContext
from pipeline.runtime.flows.chain import MAX_RECORD_BYTES, Chain, ChainResult
from pipeline.runtime.flows.chain_loop import MAX_BATCH
from pipeline.runtime.kafka.accumulator import RecordAccumulator
from pipeline.runtime.kafka.raw_fetch import FetchedRecord
from pipeline.runtime.tables.store import ROCKSDB
from pipeline.runtime.tables.tables import Tables
from pipeline.runtime.tables.views import TableWrite, group_by_partition
from pipeline.topics.catalogue import RAW, SEEN, events
from pipeline.topics.records import Record

RECORDS: Final = 20_000
PASSES: Final = 5


def main(task: Task) -> dict[str, float]:
    tune()
    store, records = _store(Path(task.data_dir)), list(_records())
    stages = (parse(PROVIDERS), deduplicate(), route(tenants_of(task)))
    so_far, costs = _cost(lambda: _results((), store, records, Dropped)), {}
    for count, stage in enumerate(stages, 1):
        cost = _cost(partial(_results, stages[:count], store, records, Dropped))
        costs[stage.name], so_far = cost - so_far, cost
    costs["build output batches"] = _cost(lambda: _results(stages, store, records, _draft)) - so_far
    return costs | _mark_costs(_results(stages, store, records, Dropped).writes, store)


NO_COMPRESSION: Final = 0
LOG: Final = "log"


class Dropped:
    """Takes outputs and keeps none."""

    def extend(self, _: object) -> None: ...


class Stored:
    """A table of one partition. Its writes are measured apart."""

    changelog = LOG

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def partition(self, _: int) -> Any:
        return self._rows

    def scan(self, _: int, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter([(key, self._rows[key]) for key in sorted(self._rows) if key >= start])

    def apply(self, *_: object) -> None: ...


def _draft() -> RecordAccumulator:
    topics = (RAW.name, events("default").name, LOG)
    return RecordAccumulator(dict.fromkeys(topics, 1), NO_COMPRESSION, dict.fromkeys(topics, MAX_RECORD_BYTES))


def _results(
    stages: Sequence[Stage],
    store: Any,
    records: Sequence[FetchedRecord],
    outputs: Callable[[], Dropped | RecordAccumulator],
) -> ChainResult:
    """Runs batch by batch, as a worker does; gives the last batch's result."""
    ended = (*stages, Stage("end", _nothing)) if len(stages) < 3 else tuple(stages)
    chain = Chain(ended, Tables({SEEN: Stored(store)}), STAGE_RETRIES)
    for start in range(0, len(records), MAX_BATCH):
        taken = outputs()
        result = chain.run(0, records[start : start + MAX_BATCH], taken)
        if isinstance(taken, RecordAccumulator):
            _build(taken)
    return result


def _nothing(_: object, __: StageContext) -> Sequence[Record]:
    return ()


def _build(draft: RecordAccumulator) -> None:
    for line in draft.partition_batches:
        for batch in line.batches:
            batch._build()


def _mark_costs(marks: Sequence[TableWrite], store: Any) -> dict[str, float]:
    """Of making rows for the changelog and the store, without sending or keeping them elsewhere."""
    return {
        "build changelog batches": _cost(lambda: _log(marks)),
        "write RocksDB": _cost(lambda: _write(store, marks)),
    }


def _log(marks: Sequence[TableWrite]) -> None:
    for _ in range(RECORDS // MAX_BATCH):
        draft = _draft()
        for (_, partition), rows in group_by_partition(marks):
            line = draft.batches_for(LOG, partition)
            for _, _, key, value in rows:
                line.add(draft.now, key, value, [], None)
        _build(draft)


def _write(store: Any, marks: Sequence[TableWrite]) -> None:
    for _ in range(RECORDS // MAX_BATCH):
        batch = rocksdict.WriteBatch(raw_mode=True)
        for _, _, key, value in marks:
            batch.put(key, value)
        store.write(batch)


def _cost(work: Callable[[], object]) -> float:
    return min(_timed(work) for _ in range(PASSES)) / RECORDS * 1e6


def _timed(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def _store(directory: Path) -> Any:
    """Return a partition's rows as a worker opens them."""
    options: Mapping[str, Any] = ROCKSDB
    return RocksDBOptions(ttl=7 * 86400, **options).open(directory / "parts")


def _records() -> Iterator[FetchedRecord]:
    for number in range(RECORDS):
        record = webhooks.record(number, RAW.name)
        yield FetchedRecord(RAW.name, 0, number, 0, record.key, record.value, record.headers)


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(orjson.dumps(main(read_task())))
