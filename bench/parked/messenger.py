"""The messenger under test: its memory from start to end, and how fast it answers questions about parked records."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import orjson
import psutil

from bench.lab import Lab
from bench.process import Process, clean_environment, running
from pipeline.errors import PipelineError
from pipeline.local.probe import http_ready

EVERY: Final = 0.5
"""Seconds between two looks, and between two questions."""
TICK: Final = 0.02
ANSWER_TIMEOUT: Final = 60.0
"""Seconds that an answer may take at most."""


@dataclass(slots=True)
class Seen:
    """What was seen of one process.

    Attributes:
        resident: seconds since its start and MiB, one pair for each look.
        answers: seconds of the slowest answer, by what was asked.
    """

    resident: list[tuple[float, float]] = field(default_factory=list)
    answers: dict[str, float] = field(default_factory=dict)

    @property
    def peak(self) -> float:
        """The most MiB."""
        return max((size for _, size in self.resident), default=0.0)


class Messenger:
    """One process of the messenger, that answers on `port`."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.seen = Seen()
        self._port = port
        self._began = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self._began

    @property
    def ready(self) -> bool:
        return http_ready("127.0.0.1", self._port)

    def parked(self) -> int:
        """Ask for its parked records; return their number."""
        answer = orjson.loads(self._get("/parked?limit=1000"))
        return sum(queue["records"] for queue in answer["queues"])

    def require_metrics(self) -> None:
        """Ask for its metrics. Raise `PipelineError` unless those of parked records are among them."""
        if b"pipeline_parked_records" not in self._get("/metrics"):
            raise PipelineError("the metrics of the messenger have no parked records")

    def shown(self) -> int:
        """Return the number of records that `pipeline parked` shows, a process of its own."""
        argv = [sys.executable, "-m", "pipeline.cli", "parked", "--json", "--workers", f"http://127.0.0.1:{self._port}"]
        began = time.monotonic()
        done = subprocess.run(argv, env=clean_environment(), capture_output=True, timeout=ANSWER_TIMEOUT, check=True)
        self._note("pipeline parked", began)
        return sum(orjson.loads(line)["records"] for line in done.stdout.splitlines())

    def until(self, condition: Callable[[], bool], seconds: float, what: str) -> float:
        """Wait; return the age at which it was so. Raise `PipelineError` if it ends or is too slow.

        Meanwhile it is asked questions, as an operator would ask them, from when it listens on.
        """
        deadline, asks = time.monotonic() + seconds, 0.0
        while not condition():
            if time.monotonic() > deadline:
                raise self.process.failed(f"after {seconds:.0f} s there is no {what}")
            self.process.require_running()
            if time.monotonic() > asks and self._listens:
                self.require_metrics()
                self.parked()
                asks = time.monotonic() + EVERY
            time.sleep(TICK)
        return self.age

    @property
    def _listens(self) -> bool:
        return http_ready("127.0.0.1", self._port, "/metrics")

    def look(self) -> None:
        """Note its memory now. A process that has just been killed has none."""
        with suppress(psutil.Error):
            self.seen.resident.append((round(self.age, 1), round(self.process.resident(), 1)))

    def _get(self, path: str) -> bytes:
        began = time.monotonic()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=ANSWER_TIMEOUT) as response:
                return bytes(response.read())
        except OSError as error:
            raise self.process.failed(f"does not answer {path} ({error})") from None
        finally:
            self._note(path.partition("?")[0], began)

    def _note(self, asked: str, began: float) -> None:
        self.seen.answers[asked] = max(self.seen.answers.get(asked, 0.0), time.monotonic() - began)


@contextmanager
def messenger(lab: Lab, env: Mapping[str, str]) -> Iterator[Messenger]:
    """Start a messenger, and look at its memory until the end. It may be killed meanwhile."""
    port = lab.port()
    settings = {**env, "PIPELINE_WORKER_PORT": str(port), "PIPELINE_INSTANCE_ID": "one"}
    with running(lambda: lab.spawn("messenger", "pipeline.cli", "worker", "messenger", env=settings)) as (process,):
        worker = Messenger(process, port)
        with _looking(worker):
            yield worker


@contextmanager
def _looking(worker: Messenger) -> Iterator[None]:
    over = threading.Event()

    def look() -> None:
        while not over.wait(EVERY) and worker.process.is_running:
            worker.look()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
