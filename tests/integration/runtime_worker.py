"""A worker of the runtime's tests: `python -m tests.integration.runtime_worker PROGRAM NAME`.

Its settings come from the environment (Faust's in `APP_OPTIONS`, as JSON). It reads `NAME.in` and writes `NAME.out`, as
the consumer group NAME. A record's value is a JSON object that says what the stage does with it (`Order`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import orjson
from faust.assignor.partition_assignor import PartitionAssignor
from faust.types import TP

from pipeline.backoff import RetryPolicy
from pipeline.cli._setup import configured
from pipeline.errors import InvalidRecord, PipelineError, RetryAfter
from pipeline.logging import configure
from pipeline.runtime import ConcurrentContext, ConcurrentStage, Fairness, PipelineApp, Stage, StageContext
from pipeline.runtime.faust.assignor import TopicAwareAssignor
from pipeline.runtime.faust.consumer import Consumer
from pipeline.runtime.faust.consumer_thread import ConsumerThread
from pipeline.runtime.flows import concurrent_loop
from pipeline.runtime.process.worker import run
from pipeline.topics.records import ConsumedRecord, Record

SEEN = "seen"
TTL = 3600
PID = str(os.getpid()).encode()


class Order(TypedDict, total=False):
    """What is to be done with a record.

    Attributes:
        id: what duplicates are known by.
        do: `poison` (can never succeed), `fail` (the first `times` tries), `hold` (works until the file `until` is
            there), `break` (fails until it is there), `back off` (is told to
            try again later until it is there), `wait` (in `Scope.wait` until it is
            there), `grow` (to `size` bytes), `cancel` (a cancelled future is awaited, the first `times` tries),
            `slow` (blocks for `seconds`), `nap` (sleeps so long), `abort` (ends its process), `spin` (never returns).
            Else it is copied.
        began: a file that is written when the stage first sees the record.
        text: makes the record larger.
    """

    id: str
    do: str
    times: int
    size: int
    seconds: float
    until: str
    began: str
    text: str


def begin(order: Order) -> None:
    if "began" in order:
        Path(order["began"]).touch()


def end_the_process(order: Order) -> None:
    match order.get("do"):
        case "abort" if there(order):
            os.abort()
        case "spin":
            while True:
                pass


def there(order: Order) -> bool:
    return "until" not in order or Path(order["until"]).exists()


def _copy(record: ConsumedRecord, name: str, attempt: int = 0) -> Record:
    told = [("pid", PID), ("attempt", str(attempt).encode()), ("at", str(time.time()).encode())]
    return Record(f"{name}.out", record.key or b"", record.value or b"", [*record.headers, *told])


# A chain that remembers ids in a table


def chained(app: PipelineApp, name: str) -> None:
    failures: dict[str, int] = {}

    def once(record: ConsumedRecord, context: StageContext) -> Iterable[Record]:
        order: Order = orjson.loads(record.value or b"")
        begin(order)
        end_the_process(order)
        _chained_part(order, failures)
        seen = context.table(SEEN)
        if seen.get(order["id"]) is not None:
            return ()
        seen.put(order["id"], PID)
        if "size" in order:
            return (Record(f"{name}.out", record.key or b"", os.urandom(order["size"])),)
        return (_copy(record, name),)

    app.table(SEEN, ttl=TTL)
    app.flow(f"{name}.in", Stage(name, once))


def _chained_part(order: Order, failures: dict[str, int]) -> None:
    match order.get("do"):
        case "poison":
            raise InvalidRecord("poison")
        case "fail" if failures.setdefault(order["id"], 0) < order["times"]:
            failures[order["id"]] += 1
            raise RuntimeError("not yet")
        case "back off" if not there(order):
            raise RetryAfter("not yet", 0.1)
        case "break" if not there(order):
            raise RuntimeError("down")
        case "slow":
            time.sleep(order["seconds"])


# A concurrent stage


def concurrent(app: PipelineApp, name: str) -> None:
    async def work(record: ConsumedRecord, context: ConcurrentContext) -> Iterable[Record]:
        order: Order = orjson.loads(record.value or b"")
        begin(order)
        end_the_process(order)
        await _concurrent_part(order, context)
        return (_copy(record, name, context.attempt),)

    app.flow(f"{name}.in", ConcurrentStage(name, work, _checked, lambda record: record.key))


def fairness(app: PipelineApp, name: str) -> None:
    """Keys take turns. The group of `a.b` is `a`. What waits is parked after a few seconds instead of half a minute."""
    vars(concurrent_loop)["LONG_WAIT"] = 5.0

    async def work(record: ConsumedRecord, context: ConcurrentContext) -> Iterable[Record]:
        order: Order = orjson.loads(record.value or b"")
        begin(order)
        end_the_process(order)
        await _concurrent_part(order, context)
        return (_copy(record, name, context.attempt),)

    def fair_key(record: ConsumedRecord) -> tuple[str, str]:
        key = (record.key or b"").decode()
        return key.partition(".")[0], key

    app.flow(
        f"{name}.in", ConcurrentStage(name, work, _checked, lambda record: record.key, fairness=Fairness(fair_key))
    )


def _checked(record: ConsumedRecord) -> ConsumedRecord:
    orjson.loads(record.value or b"")
    return record


async def _concurrent_part(order: Order, context: ConcurrentContext) -> None:
    match order.get("do"):
        case "poison":
            raise InvalidRecord("poison")
        case "fail" if context.attempt < order["times"]:
            raise RuntimeError("not yet")
        case "cancel" if context.attempt < order["times"]:
            await _cancelled()
        case "back off" | "abort" if not there(order):
            raise RetryAfter("not yet", 0.1)
        case "break" if not there(order):
            raise RuntimeError("down")
        case "nap":
            await asyncio.sleep(order["seconds"])
        case "hold" | "wait":
            await _wait_until_there(order, context)


async def _wait_until_there(order: Order, context: ConcurrentContext) -> None:
    while not there(order):
        await (context.wait(0.1) if order.get("do") == "wait" else asyncio.sleep(0.02))


async def _cancelled() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


# A plain agent


def agent(app: PipelineApp, name: str) -> None:
    source = app.topic(f"{name}.in", value_serializer="raw", key_serializer="raw", value_type=bytes, key_type=bytes)

    async def copy(stream: AsyncIterable[Any]) -> None:
        async for event in stream.events():  # type: ignore[attr-defined]
            order: Order = orjson.loads(event.value)
            begin(order)
            if order.get("do") == "poison":
                raise ValueError("poison")
            await (await app.send(f"{name}.out", key=event.key, value=event.value))

    app.agent(source, name=name)(copy)


class SlowSeek(ConsumerThread):
    """Holds a window of milliseconds open for long enough to be hit: while positions are being set."""

    async def seek_to_committed(self) -> Mapping[TP, int]:
        await asyncio.sleep(float(os.environ["SLOW_SEEK"]))
        return await super().seek_to_committed()


def slow(app: PipelineApp, name: str) -> None:
    chained(app, name)
    Consumer._new_consumer_thread = lambda self: SlowSeek(self, loop=self.loop, beacon=self.beacon)  # type: ignore[method-assign]


class ForgetfulStockAssignor(PartitionAssignor):
    """A leader whose first look at its topics finds none, as when the broker dies while it asks for them."""

    _forgets = True

    def assign(self, cluster: Any, member_metadata: Any) -> Any:
        if self._forgets:
            self._forgets = False
            cluster._partitions.clear()
        return super().assign(cluster, member_metadata)


class ForgetfulAssignor(ForgetfulStockAssignor, TopicAwareAssignor):
    """The same, of ours: it forgets before ours looks."""


def losing(app: PipelineApp, name: str) -> None:
    """Its client loses the task that keeps its metadata, once it is ready."""
    chained(app, name)

    async def lose() -> None:
        while not app.ready:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.05)
        client = app.kafka_consumer.client._client
        client._loop.call_soon_threadsafe(client._sync_task.cancel)

    app.task(lose)


PROGRAMS: dict[str, Callable[[PipelineApp, str], None]] = {
    "chained": chained,
    "concurrent": concurrent,
    "agent": agent,
    "slow": slow,
    "turns": fairness,
    "losing": losing,
}


def main(program: str, name: str) -> None:
    settings = configured()
    configure("json", "info")
    logging.getLogger("faust.tables.recovery").setLevel(logging.INFO)  # tells whether it had to read the changelog

    async def build() -> Sequence[PipelineApp]:
        options = orjson.loads(os.environ.get("APP_OPTIONS", "{}"))
        app = PipelineApp(name, settings, RetryPolicy(max_attempts=3, initial_delay=0.05, max_delay=0.2), **options)
        PROGRAMS[program](app, name)
        return [app]

    run(settings, build)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except PipelineError as error:
        raise SystemExit(f"pipeline: {error}") from None
