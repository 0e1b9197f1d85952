"""A worker that starts before its broker."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pipeline.errors import Unavailable
from pipeline.runtime.faust.app import PipelineApp
from pipeline.tenants import SAMPLE
from tests.support.ports import free_ports
from tests.support.stacks import Process


def test_a_worker_waits_for_its_broker_and_can_be_told_to_stop_meanwhile(tmp_path: Path) -> None:
    """Workers that die at once when the broker restarts would burn the CPU that it needs to start."""
    environment = {
        "PIPELINE_KAFKA": f"127.0.0.1:{free_ports()}",
        "PIPELINE_DATA_DIR": str(tmp_path / "data"),
        "PIPELINE_TENANTS": str(SAMPLE),
    }
    worker = Process([sys.executable, "-m", "pipeline.cli", "worker", "messenger"], tmp_path / "out", environment)
    try:
        worker.wait_for("worker_waiting_for_broker")
    finally:
        worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.output
    assert "Unclosed" not in worker.output


def test_what_an_app_must_know_first_is_read_again_after_a_failure_and_once() -> None:
    """A worker whose broker answers at the second try would send without knowing what is paused."""
    read: list[str] = []

    async def first() -> None:
        read.append("first")
        if len(read) == 1:
            raise Unavailable("the broker is away")

    async def second() -> None:
        read.append("second")

    app = cast(PipelineApp, SimpleNamespace(_openers=[first, second]))
    with pytest.raises(Unavailable):
        asyncio.run(PipelineApp.open(app))
    asyncio.run(PipelineApp.open(app))
    asyncio.run(PipelineApp.open(app))
    assert read == ["first", "first", "second"]
