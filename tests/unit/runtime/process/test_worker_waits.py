"""A worker that starts before its broker."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

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
