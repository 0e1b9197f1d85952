"""Slow starts: what gets on is waited for, and only what stands still is given up."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.errors import PipelineError
from pipeline.local import startup
from pipeline.local.child import Child, ChildEvent
from pipeline.local.ports import Ports
from pipeline.local.process import Server
from pipeline.local.report import StackReporter
from pipeline.local.services import Service
from pipeline.local.startup import MIN_WORK, STALL_TIMEOUT, Observation, Startup, look
from tests.support.ports import free_ports
from tests.support.stacks import eventually

HOUR = 3600.0


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(startup, "clock", made)
    return made


STEPS: dict[str, Callable[[int], Observation]] = {
    "its log grows": lambda step: Observation(step, 0, 0.0),
    "it uses the processor": lambda step: Observation(0, 0, step * MIN_WORK),
}


@pytest.mark.parametrize("sign", STEPS)
def test_what_gets_on_is_waited_for_however_long_it_takes(clock: Clock, sign: str) -> None:
    """On a slow machine Kafka would be killed and started again for ever, and nobody ever have a stack."""
    steps = count(1)
    start = Startup(lambda: STEPS[sign](next(steps)))
    for _ in range(60):
        clock.now += STALL_TIMEOUT - 1
        assert not start.stalled()
        assert start.sign == sign
    assert start.seconds == 60 * (STALL_TIMEOUT - 1)


def test_an_opened_port_is_a_sign_once(clock: Clock) -> None:
    """A server that opened its port and then stands still would be waited for until somebody looks."""
    start = Startup(lambda: Observation(0, 1, 0.0))
    clock.now += STALL_TIMEOUT - 1
    assert not start.stalled()
    assert start.sign == "a port is open"
    clock.now += STALL_TIMEOUT + 1
    assert start.stalled()


def test_what_only_waits_is_given_up(clock: Clock) -> None:
    """A virtual machine that idles uses the processor, too: a start that hangs would never be tried again."""
    began = clock.now
    start = Startup(lambda: Observation(7, 0, 0.9 * MIN_WORK * (clock.now - began) / STALL_TIMEOUT))
    assert not start.stalled()
    clock.now += STALL_TIMEOUT + 1
    assert start.stalled()


def test_signs_are_those_of_the_process(tmp_path: Path) -> None:
    """A start would be judged by another process, or by nothing."""
    log = tmp_path / "log"
    assert look(os.getpid(), log, ()).log == 0
    log.write_bytes(b"four")
    before = look(os.getpid(), log, [free_ports()])
    assert (before.log, before.ports) == (4, 0)
    used = time.process_time()
    while time.process_time() < used + 0.05:
        pass
    assert look(os.getpid(), log, ()).work > before.work > 0


LISTENER = """
import sys
for line in open(sys.argv[1]):
    print(line, end="", flush=True)
"""
"""Logs whatever comes through a pipe, and is never ready."""


class Told(Child):
    """A child that logs when the test says so."""

    def __init__(self, directory: Path, *, alive: Callable[[], bool] | None = None) -> None:
        self._pipe = directory / "pipe"
        os.mkfifo(self._pipe)
        argv = [sys.executable, "-c", LISTENER, str(self._pipe)]
        super().__init__(Service("slow", argv, ready=lambda: False, alive=alive), directory / "log")
        self.start()
        self._writing = self._pipe.open("w")

    def say(self) -> None:
        before = self.log.size()
        self._writing.write("still here\n")
        self._writing.flush()
        eventually(lambda: self.log.size() > before, "it has logged")


@pytest.fixture
def slow(tmp_path: Path, clock: Clock) -> Iterator[Told]:
    child = Told(tmp_path)
    yield child
    child.kill()
    child.reap()


def test_a_child_that_logs_is_not_killed_and_one_that_stands_still_is(slow: Told, clock: Clock) -> None:
    """`pipeline up` would kill what is nearly there, or wait for what will never come."""
    slow.observe()
    for _ in range(10):
        slow.say()
        clock.now += STALL_TIMEOUT - 1
        assert slow.observe() is ChildEvent.SLOW
        assert slow.startup.sign == "its log grows"
    clock.now += STALL_TIMEOUT + 1
    assert slow.observe() is ChildEvent.DIED
    assert "did nothing for 60 s" in slow.death_cause
    assert not slow.running


def test_a_child_that_waits_for_a_person_is_left_alone(tmp_path: Path, clock: Clock) -> None:
    """A worker that has stopped at a gap would be killed once a minute, and tell of the gap anew each time."""
    child = Told(tmp_path, alive=lambda: True)
    try:
        child.observe()
        clock.now += HOUR
        assert child.observe() is ChildEvent.SLOW
        assert child.running
    finally:
        child.kill()
        child.reap()


class Silent(Server):
    """Never ready, and does nothing."""

    name = "silent"

    @property
    def argv(self) -> list[str]:
        return [sys.executable, "-c", "import time; time.sleep(3600)"]

    @property
    def ports(self) -> tuple[int, ...]:
        return ()

    def prepare(self) -> None:
        """Nothing is needed."""

    def is_ready(self) -> bool:
        startup.clock.now += STALL_TIMEOUT / 2  # type: ignore[attr-defined]
        return False


@pytest.mark.usefixtures("clock")
def test_a_server_that_stands_still_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    """A test run would hang on a broker that will never answer."""
    server = Silent(tmp_path)
    with pytest.raises(PipelineError, match="silent did not start"):
        server.start()
    assert not server.running


def test_the_screen_says_what_is_waited_for() -> None:
    """Whoever sits before a slow start would take it for one that hangs, and end it."""
    screen = io.StringIO()
    report = StackReporter(Console(file=screen, width=200), Ports.starting_at(20000), Path("/data"))
    report.slow("kafka", 90.4, "its log grows", Path("/data/logs/kafka.log"))
    assert "kafka      is still starting after 90 s: it gets on (its log grows). Its log is /data" in screen.getvalue()
