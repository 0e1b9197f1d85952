"""The note of the record whose code is on the processor, as the next process finds it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from faust.types import TP

from pipeline.runtime.quarantine.crash_marker import CrashHint, CrashMarker
from pipeline.runtime.quarantine.suspects import ELSEWHERE

ROOT = Path(__file__).parents[4]
TP3, TP4 = TP("events.default", 3), TP("events.default", 4)
DIES = """
import asyncio, os, sys
from pathlib import Path
from faust.types import TP
from pipeline.runtime.quarantine.crash_marker import CrashMarker

async def innocent():
    await asyncio.sleep(3600)

async def guilty():
    await asyncio.sleep(0)
    {end}

async def main():
    mark = CrashMarker(Path(sys.argv[1]))
    tp = TP("events.default", 3)
    await asyncio.gather(mark.run(tp, 16, innocent()), mark.run(tp, 17, guilty()))

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("end", "found"),
    [
        ("os.abort()", 17),
        ("os.kill(os.getpid(), 9)", 17),
        ("asyncio.get_running_loop().call_soon(os.abort); await asyncio.sleep(3600)", None),
    ],
    ids=["a crash", "a kill", "nobody's code"],
)
def test_the_next_process_finds_the_record_that_ran(tmp_path: Path, end: str, found: int | None) -> None:
    """Hundreds of records would be suspects where the process could tell which one it died of."""
    path = tmp_path / "running" / "handlers-1"
    argv = [sys.executable, "-c", DIES.format(end=end), str(path)]
    assert subprocess.run(argv, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode < 0
    hint = CrashMarker(path).crash_hint
    assert (hint and hint.offset_in(TP3)) == found
    assert hint is None or hint.offset_in(TP4) == ELSEWHERE
    assert CrashMarker(path).crash_hint is None, "a hint is of one death"
    for _ in range(2):
        subprocess.run(argv, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})
        again = CrashMarker(path).crash_hint
        assert (again and again.again) == (found and True)
    assert path.stat().st_mode & 0o077 == 0


def _run(mark: CrashMarker, work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(_await(mark, work))


async def _await(mark: CrashMarker, work: Coroutine[Any, Any, Any]) -> Any:
    return await mark.run(TP3, 5, work)


def test_work_is_as_it_would_be_without_a_mark(tmp_path: Path) -> None:
    """A hook's result, its errors or its cancellation would be lost on the way."""
    mark = CrashMarker(tmp_path / "mark")

    async def returns() -> str:
        await asyncio.sleep(0)
        return "done"

    async def raises() -> None:
        await asyncio.sleep(0)
        raise LookupError

    async def times_out() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(3600)
        except TimeoutError:
            await asyncio.sleep(0)
            return "too late"
        return ""

    assert _run(mark, returns()) == "done"
    assert _run(mark, times_out()) == "too late"
    with pytest.raises(LookupError):
        _run(mark, raises())
    assert CrashMarker(tmp_path / "mark").crash_hint is None


def test_what_is_cancelled_is_cancelled(tmp_path: Path) -> None:
    """A rebalance would wait for a hook that nobody can end."""
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("yes")

    async def body() -> None:
        task = asyncio.create_task(_await(CrashMarker(tmp_path / "mark"), waits()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())
    assert ended == ["yes"]


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 400])
def test_a_file_of_another_form_says_nothing(tmp_path: Path, content: bytes) -> None:
    """A worker would not start for what is only a hint."""
    path = tmp_path / "mark"
    path.write_bytes(content)
    assert CrashMarker(path).crash_hint is None


def test_without_a_place_nothing_is_noted(tmp_path: Path) -> None:
    """A worker on a read-only disk would not start."""
    file = tmp_path / "file"
    file.touch()
    for path in (None, file / "below"):
        assert _run(CrashMarker(path), asyncio.sleep(0, "done")) == "done"


def test_a_hint_is_of_its_topic() -> None:
    """Two flows of one app would suspect each other's records."""
    assert CrashHint(5, 3, 1).offset_in(TP3) == ELSEWHERE
