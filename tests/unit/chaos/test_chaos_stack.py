"""The chaos stack's books: which ends were wanted, and which were not."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from chaos.options import Options
from chaos.plan import Act
from chaos.stack import Log, Stack
from pipeline.local.child import Child, ChildState
from pipeline.local.services import Service
from tests.support.stacks import eventually


def test_an_end_that_was_asked_for_is_none_of_its_own() -> None:
    """The report would list every kill as a crash, and a crash of its own would drown in them."""
    log = Log()
    log.wanted["intake"] = frozenset({"was killed by SIGKILL"})
    log.died("intake", "was killed by SIGKILL", Path("intake.log"), [], 1)
    assert not log.deaths
    log.died("intake", "was killed by SIGKILL", Path("intake.log"), [], 2)
    assert [death.name for death in log.deaths] == ["intake"]


def test_a_worker_that_ends_badly_after_sigterm_is_reported() -> None:
    """A shutdown that fails would pass for one that was clean."""
    log = Log()
    log.wanted["handlers"] = frozenset({"ended with exit status 0"})
    log.died("handlers", "ended with exit status 1", Path("handlers.log"), ["pipeline: no"], 1)
    assert log.deaths[0].why == "ended with exit status 1"


def test_nothing_of_the_callers_environment_changes_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed would give another run, or a real broker would be driven."""
    monkeypatch.setenv("PIPELINE_KAFKA", "production:9092")
    monkeypatch.setenv("PIPELINE_HANDLER_TIMEOUT", "1")
    stack = Stack(tmp_path, Options())
    environments = [child.service.env or {} for child in stack._children]
    assert all("production" not in str(env) and "PIPELINE_HANDLER_TIMEOUT" not in env for env in environments)


def test_a_worker_that_leaves_for_good_with_an_error_is_reported(tmp_path: Path) -> None:
    """Whoever scales down would lose a worker's last words, and the report would call the run clean."""
    stack = Stack(tmp_path, Options())
    said = tmp_path / "said"
    script = f"import pathlib, signal; pathlib.Path({str(said)!r}).touch(); signal.sigwait([15]); raise SystemExit(3)"
    prelude = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [15]); "
    child = Child(Service("intake-2", [sys.executable, "-c", prelude + script]), tmp_path / "intake-2.log", None)
    stack._children.append(child)
    stack._by_name["intake-2"] = child
    child.start()
    eventually(said.exists, "the child is up")
    child.state = ChildState.READY
    stack._remove("intake-2")
    eventually(lambda: not child.running, "it has ended")
    stack._see_off()
    assert [(death.name, death.why) for death in stack.log.deaths] == [("intake-2", "ended with exit status 3")]
    assert not stack._leaving


def test_a_frozen_worker_goes_on_when_its_time_is_over(tmp_path: Path) -> None:
    """It would stand still to the end of the run, and what it had in hand would be missing."""
    stack = Stack(tmp_path, Options())
    child = Child(Service("intake", [sys.executable, "-c", "import signal; signal.pause()"]), tmp_path / "log", None)
    stack._by_name["intake"] = child
    child.start()
    child.state = ChildState.READY
    try:
        process = psutil.Process(child.pid)
        assert stack._freeze("intake", 0)
        eventually(lambda: process.status() == psutil.STATUS_STOPPED, "it stands still")
        stack._thaw(lambda until: time.monotonic() >= until)
        eventually(lambda: process.status() != psutil.STATUS_STOPPED, "it goes on")
        assert not stack._frozen
    finally:
        child.kill()
        child.reap()
    assert not stack._freeze("intake", 0), "it does not run any more"


def test_a_kill_of_what_does_not_run_is_not_counted_as_one(tmp_path: Path) -> None:
    """A run would claim kills that never happened."""
    hits: list[bool] = []
    stack = Stack(tmp_path, Options())
    stack.kill("intake", Act.SIGKILL, hits.append)
    stack._orders.get_nowait()()
    assert hits == [False]
