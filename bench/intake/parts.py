"""What each part of the chain costs by itself, in memory: µs of CPU per event, the best of several passes.

`python -m bench.intake.parts TASK RESULT` writes them by name.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import rocksdict
from aiokafka import ConsumerRecord
from faust.stores.rocksdb import RocksDBOptions

from agents.deduplicate import deduplicate
from agents.parse import parse
from agents.route import route
from bench import webhooks
from bench.candidate import Task, read_task, tune
from bench.intake.settings import tenants_of
from pipeline.providers import PROVIDERS
from pipeline.runtime import Scope, Stage
from pipeline.runtime.chain import Chain, Result
from pipeline.runtime.chain_loop import BATCH
from pipeline.runtime.publisher import Content, Line
from pipeline.runtime.retry import Retries
from pipeline.runtime.table_store import ROCKSDB
from pipeline.runtime.tables import Pending
from topics.catalogue import RAW, SEEN
from topics.records import Record

RECORDS: Final = 20_000
PASSES: Final = 5


def main(task: Task) -> dict[str, float]:
    tune()
    store, records = _store(Path(task.data_dir)), list(_records())
    stages = (parse(PROVIDERS), deduplicate(), route(tenants_of(task)))
    so_far, costs = _chain_cost((), store, records), {}
    for count, stage in enumerate(stages, 1):
        cost = _chain_cost(stages[:count], store, records)
        costs[stage.name], so_far = cost - so_far, cost
    return costs | _output_costs(_results(stages, store, records), store)


def _chain_cost(stages: Sequence[Stage], store: Any, records: Sequence[ConsumerRecord]) -> float:
    """Of these stages, with what they return thrown away unless the last one is there."""
    ended = (*stages, Stage("end", _nothing)) if len(stages) < 3 else tuple(stages)
    return _cost(lambda: _results(ended, store, records))


NO_COMPRESSION: Final = 0


def _nothing(_: object, __: Scope) -> Sequence[Record]:
    return ()


def _results(stages: Sequence[Stage], store: Any, records: Sequence[ConsumerRecord]) -> Result:
    """Runs batch by batch, as a worker does; gives the last batch's result."""
    chain = Chain(stages, tables=[SEEN], stores=lambda *_: store, pending=Pending(), retries=Retries())
    batches = [records[start : start + BATCH] for start in range(0, len(records), BATCH)]
    for batch in batches[:-1]:
        chain.run(0, batch)
    return chain.run(0, batches[-1])


def _output_costs(result: Result, store: Any) -> dict[str, float]:
    """Of making batches for the topics and rows for the store, without sending or keeping them elsewhere."""
    outputs: list[Content] = [(record.key, record.value, record.headers, record) for record, _ in result.outputs]
    marks: list[Content] = [(key, value, (), None) for _, _, key, value in result.marks]
    return {
        "build output batches": _cost(lambda: _build(outputs)),
        "build changelog batches": _cost(lambda: _build(marks)),
        "write RocksDB": _cost(lambda: _write(store, marks)),
    }


def _build(contents: list[Content]) -> None:
    for _ in range(RECORDS // BATCH):
        line = Line(("out", 0), contents)
        while line.left:
            line.batch(NO_COMPRESSION)._build()
            line.landed(0)


def _write(store: Any, marks: Sequence[Content]) -> None:
    for _ in range(RECORDS // BATCH):
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value, *_ in marks:
            batch.put(key, value)
        store.write(batch)


def _cost(work: Callable[[], object]) -> float:
    return min(_timed(work) for _ in range(PASSES)) / RECORDS * 1e6


def _timed(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def _store(directory: Path) -> Any:
    """A partition's rows as a worker opens them."""
    options: Mapping[str, Any] = ROCKSDB
    return RocksDBOptions(ttl=7 * 86400, **options).open(directory / "parts")


def _records() -> Iterator[ConsumerRecord]:
    for number in range(RECORDS):
        record = webhooks.record(number, RAW.name)
        yield ConsumerRecord(RAW.name, 0, number, 0, 0, record.key, record.value, None, 0, 0, record.headers)


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(orjson.dumps(main(read_task())))
