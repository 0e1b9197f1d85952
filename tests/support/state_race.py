"""Many read-modify-writes of one conversation's row at once, from as many processes as are started.

    python -m tests.support.state_race BACKEND URL DIRECTORY TENANT NAME WRITES

Each one is an event of its own that a handler takes: it reads the row, waits, and writes it back with one more. When
all are done the process says how often its handler ran.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, cast

from pipeline.errors import Conflict
from pipeline.handlers import HandlerRunner
from pipeline.state import Backend, Store, open_store
from pipeline.state.keys import user_key
from tests.support.handler_events import USER, settings, tenants, text
from tests.support.handlers_for_tests import KeepsCache

ALL: Final = "PIPELINE_TEST_WRITES"
"""Set it to 10000 for the whole test."""


def writes(short: int) -> int:
    """How many read-modify-writes in all; `short` where nobody asks for more."""
    return int(os.environ.get(ALL, short))


async def race(store: Store, tenant: str, name: str, count: int) -> int:
    """Handles `count` events of one conversation at once. How often the handler ran."""
    path = f"{KeepsCache.__module__}.{KeepsCache.__name__}"
    runner = HandlerRunner(settings(path, 600.0), tenants(**{tenant: None}), store)
    await asyncio.gather(*(_handled(runner, tenant, f"wamid.{name}.{number}") for number in range(count)))
    return len(cast(KeepsCache, runner.handler(tenant)).seen)


async def _handled(runner: HandlerRunner, tenant: str, message_id: str) -> None:
    """As the runtime does it: a conflict is tried again until it is none."""
    while True:
        try:
            await runner.run(text(message_id=message_id, tenant=tenant))
            return
        except Conflict:
            await asyncio.sleep(0.01)


async def counted(store: Store, tenant: str) -> int:
    return int(await store.field(user_key(tenant, USER, USER), "count") or b"0")


def between_processes(backend: Backend, url: str, directory: Path, tenant: str, count: int, processes: int = 2) -> int:
    """What the row says after that many processes have each done their part of `count`, all at once."""
    command = [sys.executable, "-m", "tests.support.state_race", backend, url, str(directory), tenant]
    running = [_process([*command, str(name), str(count // processes)]) for name in range(processes)]
    try:
        assert [process.stdout.readline() for process in running if process.stdout] == ["ready\n"] * processes
        for process in running:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=600)[0] for process in running]
        assert [process.returncode for process in running] == [0] * processes
        print(*answers, sep="")
    finally:
        for process in running:
            process.kill()
            process.wait()
    return asyncio.run(_read(open_store(backend, url, directory), tenant))


def _process(command: list[str]) -> subprocess.Popen[str]:
    here = Path(__file__).parents[2]
    return subprocess.Popen(command, cwd=here, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def _read(store: Store, tenant: str) -> int:
    try:
        return await counted(store, tenant)
    finally:
        await store.close()


async def main(backend: str, url: str, directory: str, tenant: str, name: str, count: str) -> None:
    store = open_store(cast(Backend, backend), url, Path(directory))
    print("ready", flush=True)
    sys.stdin.readline()
    started = time.monotonic()
    runs = await race(store, tenant, name, int(count))
    print(f"{backend}: {count} events handled {runs} times in {time.monotonic() - started:.1f} s")
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
