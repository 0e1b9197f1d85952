"""`python -m tests.faults.stock_worker NAME`: a worker as Faust's documentation teaches to write it.

An unmodified `faust.App` with Faust's defaults, except for what has no part in any loss: where Kafka is, topics made by
the test, a static member (so that a killed one's place need not wait for its session to end) and offsets that are
committed every half second instead of every 2.8. `APP_OPTIONS` (JSON) adds settings.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterable, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import faust
import orjson

from tests.faults import loss_cases as cases
from tests.faults.loss_cases import Order, held, order_of
from tests.faults.power import fail_after_a_commit_of

Stream = Any


def app_of(name: str) -> faust.App:
    datadir = Path(os.environ["PIPELINE_DATA_DIR"], "stock")
    datadir.mkdir(parents=True, exist_ok=True)
    settings = {
        "broker": f"kafka://{os.environ['PIPELINE_KAFKA']}",
        "datadir": datadir,
        "broker_commit_interval": 0.5,
        "consumer_group_instance_id": os.environ.get("PIPELINE_INSTANCE_ID"),
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "topic_partitions": 1,
        "key_serializer": "raw",
        "value_serializer": "raw",
        "web_enabled": False,
        "worker_redirect_stdouts": False,
    }
    return faust.App(name, **{**settings, **orjson.loads(os.environ.get("APP_OPTIONS", "{}"))})


def agents(app: faust.App, name: str) -> None:
    """One agent for each way of losing a record, under the name of what it does."""
    table = app.Table(cases.TABLE, partitions=1, key_type=bytes, value_type=bytes)
    for path in (cases.UNFINISHED, cases.RAISED, cases.REFUSED, cases.CANCELLED):
        _agent(app, name, path, partial(_copy, output=_topic(app, cases.sink(name, path))))
    _agent(app, name, cases.BATCH, partial(_copy_in_batches, output=_topic(app, cases.sink(name, cases.BATCH))))
    _agent(app, name, cases.FLUSH, partial(_write, table=table))


def _agent(app: faust.App, name: str, path: str, function: Callable[[Stream], Awaitable[None]]) -> None:
    async def run(stream: Stream) -> None:
        await function(stream)

    app.agent(_topic(app, cases.source(name, path)), name=path, concurrency=4 if path == cases.UNFINISHED else 1)(run)


def _topic(app: faust.App, name: str) -> Any:
    return app.topic(name, key_type=bytes, value_type=bytes)


async def _copy_in_batches(stream: Stream, output: Any) -> None:
    async for values in stream.take(4, within=1):
        for order in [order_of(value) for value in values]:
            await _obey(order, output)


async def _write(stream: Stream, table: Any) -> None:
    async for value in stream:
        order = order_of(value)
        await _hold(order)
        if order.get("do") == "rows":
            for number in range(cases.ROWS):
                table[b"%d" % number] = cases.ROW


def dying(app: faust.App, name: str) -> None:
    """An agent that acknowledges by hand, as the documentation has it, and raises before it does."""

    _agent(app, name, cases.RAISED, _acknowledge_by_hand)


async def _acknowledge_by_hand(stream: Stream) -> None:
    async for event in stream.noack().events():
        order = order_of(event.value)
        await _hold(order)
        if order.get("do") == "raise":
            raise RuntimeError("no more")
        event.ack()


async def _copy(values: AsyncIterable[bytes], output: Any) -> None:
    async for value in values:
        await _obey(order_of(value), output)


async def _obey(order: Order, output: Any) -> None:
    await _hold(order)
    if order.get("do") == "raise":
        raise RuntimeError("bad luck")
    await output.send(key=b"k", value=orjson.dumps(order))


async def _hold(order: Order) -> None:
    while held(order):  # noqa: ASYNC110 (what is waited for is in another process)
        await asyncio.sleep(0.02)


def main(name: str, program: str = "agents") -> None:
    app = app_of(name)
    {"agents": agents, "dying": dying}[program](app, name)
    fail_after_a_commit_of(app, cases.source(name, cases.FLUSH), name)
    sys.argv = ["faust", "worker", "--loglevel", "info", "--without-web"]
    app.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
