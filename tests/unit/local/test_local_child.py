"""A child's deaths: when starting it again would not help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.local.child import Child, ChildEvent
from pipeline.local.services import Service

SCRIPT = "import pathlib, sys; [pathlib.Path(path).touch() for path in sys.argv[1:]]; sys.exit(1)"


@pytest.mark.parametrize("gets_on", [True, False])
def test_deaths_before_a_life_in_which_work_got_on_are_forgotten(tmp_path: Path, gets_on: bool) -> None:
    """`pipeline up` would give up before it is found which message kills its worker, or never for a broken one."""
    progress = tmp_path / "worker.progress"
    argv = [sys.executable, "-c", SCRIPT, *([str(progress)] if gets_on else [])]
    child = Child(Service("worker", argv, ready=lambda: False, progress=progress), tmp_path / "worker.log", 3)
    doomed = []
    for _ in range(5):
        child.start()
        _wait(child)
        assert child.observe() is ChildEvent.DIED
        doomed.append(child.exhausted)
    assert doomed == ([False] * 5 if gets_on else [False, False, True, True, True])


def _wait(child: Child) -> None:
    process: subprocess.Popen[bytes] | None = child._process
    assert process is not None
    process.wait()
