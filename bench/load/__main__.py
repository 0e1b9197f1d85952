"""`python -m bench.load LOAD ANSWERS`: posts what the first file asks for and writes the answers to the second."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from pathlib import Path

import orjson
import uvloop

from bench.load.connection import Connection
from bench.load.task import Answers, Load


class Tally:
    """The results of the webhooks."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.latencies: list[float] = []
        self.accepted: list[int] = []
        self.refused = 0

    async def post(self, connection: Connection, number: int, due: float) -> None:
        status = await connection.post(self._load.body(number))
        self.latencies.append((time.perf_counter() - due) * 1000)
        if status == 200:
            self.accepted.append(number)
        else:
            self.refused += 1


async def run(load: Load) -> Answers:
    connections = [await _connect(load.port) for _ in range(load.connections)]
    tally, wall, began = Tally(load), time.time(), time.perf_counter()
    with _no_collections():
        await (_open_loop if load.rate else _closed_loop)(load, connections, tally, began)
    seconds = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return Answers(seconds, tally.latencies, tally.accepted, tally.refused, wall)


async def _connect(port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


@contextmanager
def _no_collections() -> Iterator[None]:
    """A pause of the generator must not look like one of the server."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _closed_loop(load: Load, connections: list[Connection], tally: Tally, began: float) -> None:
    numbers = iter(range(load.first, load.first + load.count))

    async def keep_posting(connection: Connection) -> None:
        while (due := time.perf_counter()) < began + load.seconds:
            number = next(numbers, None)
            if number is None:
                return
            await tally.post(connection, number, due)

    await asyncio.gather(*(keep_posting(connection) for connection in connections))


async def _open_loop(load: Load, connections: list[Connection], tally: Tally, began: float) -> None:
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in connections:
        idle.put_nowait(connection)

    async def post(number: int, due: float) -> None:
        connection = await idle.get()
        await tally.post(connection, number, due)
        idle.put_nowait(connection)

    async with asyncio.TaskGroup() as posts:
        for place in count():
            due = began + place / load.rate
            if place >= load.count or due >= began + load.seconds:
                return
            await asyncio.sleep(due - time.perf_counter())
            posts.create_task(post(load.first + place, due))


if __name__ == "__main__":
    asked = Load(**orjson.loads(Path(sys.argv[1]).read_bytes()))
    Path(sys.argv[2]).write_bytes(orjson.dumps(asdict(uvloop.run(run(asked)))))
