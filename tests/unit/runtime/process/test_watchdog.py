"""The watchdog: a blocked loop ends its process and says where it stands; nothing else does."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import orjson
import pytest

from pipeline.runtime.process.watchdog import CHECKS_PER_TIMEOUT, Heartbeat, Watchdog, stacks
from tests.support.waiting import HANG

Start = Callable[[str, float], "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begin(what: str, seconds: float) -> subprocess.Popen[str]:
        started.append(_start(what, seconds))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def _start(what: str, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.watched_process", what, str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "watched\n"
    return process


def test_a_loop_is_blocked_after_so_many_looks_without_a_beat_and_not_before() -> None:
    """A worker would be ended for a pause, or never."""
    heartbeat = Heartbeat(3)
    looks = []
    for beats in (True, False, False, True, False, False, False):
        if beats:
            heartbeat.beat()
        looks.append(heartbeat.blocked())
    assert looks == [False, False, False, False, False, False, True]


def test_a_hook_that_never_returns_ends_its_process_and_the_log_says_where_it_was(start: Start) -> None:
    """Its worker would answer nobody for ever, and nobody would learn which line it is."""
    output, _ = start("spin", 0.5).communicate(timeout=HANG)
    told = orjson.loads(output.splitlines()[-1])
    assert told["event"] == "event_loop_blocked"
    assert told["threads"]["MainThread"][-1].endswith("_spin")
    assert "while True" not in output


def test_code_that_never_releases_the_interpreter_ends_its_process_too(start: Start) -> None:
    """A regular expression that takes for ever would block the watchdog with everything else."""
    process = start("match", 0.5)
    output, _ = process.communicate(timeout=HANG)
    assert process.returncode == -signal.SIGVTALRM
    assert "in _match" in output


def test_a_suspended_process_is_not_blamed_for_the_time(start: Start) -> None:
    """Every worker of a laptop that slept, or of a machine that was moved, would end when it wakes."""
    process = start("turn", 2)
    process.send_signal(signal.SIGSTOP)
    time.sleep(3)  # longer than the loop may be blocked
    process.send_signal(signal.SIGCONT)
    output, _ = process.communicate("\n" * 3, timeout=HANG)
    assert (process.returncode, output.count("turned")) == (0, 3)


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_loop_that_turns_is_left_alone(seconds: float) -> None:
    """A healthy worker would be ended, or one whose operator has turned the watchdog off."""
    ended: list[str] = []

    async def turn() -> None:
        watchdog = Watchdog(seconds, lambda: ended.append("ended"))
        watchdog.start()
        for _ in range(3 * CHECKS_PER_TIMEOUT):
            await asyncio.sleep(seconds / CHECKS_PER_TIMEOUT)
        watchdog.stop()

    asyncio.run(turn())
    assert not ended


def test_stacks_name_places_and_nothing_else() -> None:
    """A message's text would be in the log."""
    text = "a message's text"
    places = stacks()["MainThread"]
    assert places[-1].endswith("stacks")
    assert any(place.endswith("test_stacks_name_places_and_nothing_else") for place in places)
    assert text not in str(places)
