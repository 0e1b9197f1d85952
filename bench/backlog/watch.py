"""A worker in front of its backlog: what it holds in memory, and how far it comes."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.lab import Lab
from bench.process import running
from pipeline.errors import PipelineError
from pipeline.local.probe import http_ready

EVERY: Final = 0.2
"""Seconds between two looks."""
_DONE: Final = re.compile(r'^pipeline_records_total\{.*result="done"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Watched:
    """One worker's time in front of a backlog.

    Attributes:
        idle: MiB while nothing waits for it; `peak`: the most while everything does.
        done: records that it finished in `seconds`.
    """

    idle: float
    peak: float
    done: int
    seconds: float


def watch(lab: Lab, app: str, env: Mapping[str, str], backlog: int, seconds: float) -> tuple[float, int, float]:
    """Run a worker until `backlog` records are finished, or for so many seconds; gives peak MiB, records, seconds.

    What it finishes before it says that it is ready is not counted.
    """
    settings = {**env, "PIPELINE_WORKER_PORT": str(port := lab.port())}
    with running(lambda: lab.spawn(f"worker-{app}", "pipeline.cli", "worker", app, env=settings)) as (process,):
        process.wait_until(lambda: http_ready("127.0.0.1", port))
        before, began, peak = _finished(port), time.monotonic(), process.resident()
        done = before
        while time.monotonic() - began < seconds and (not backlog or done < backlog):
            time.sleep(EVERY)
            peak, done = max(peak, process.resident()), _finished(port)
        if backlog and not done:
            raise process.failed("has finished nothing")
        return peak, done - before, time.monotonic() - began


def _finished(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
            return sum(int(float(each)) for each in _DONE.findall(response.read().decode()))
    except OSError as error:
        raise PipelineError(f"the worker on port {port} does not answer: {error}") from None
