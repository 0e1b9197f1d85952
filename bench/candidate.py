"""One candidate of a comparison: a process that reads its task from a file and writes what it measured to another."""

from __future__ import annotations

import gc
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from bench.lab import Lab
from bench.process import running

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

TIMEOUT: Final = 300.0
MAX_RECORDS: Final = 2_000
"""Records that bare clients take at once."""


@dataclass(frozen=True, slots=True)
class Task:
    """The task of a candidate: read the `records` webhooks of the topic `source`."""

    kafka: str
    source: str
    records: int
    partitions: int
    tenants: str
    data_dir: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The result, from the first batch to the last acknowledgement. CPU is that of all threads, in seconds."""

    events: int
    seconds: float
    cpu: float
    memory: int

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of CPU per event."""
        return self.cpu / self.events * 1e6


class Stopwatch:
    """Measures from its making."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def stop(self, events: int) -> Measured:
        seconds, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return Measured(events, seconds, cpu, kibibytes * 1024)


def tune() -> None:
    """The garbage collection of our workers, for every candidate: what is compared is the work."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def read_task() -> Task:
    return Task(**orjson.loads(Path(sys.argv[1]).read_bytes()))


def write_result(measured: Measured) -> None:
    Path(sys.argv[2]).write_bytes(orjson.dumps(asdict(measured)))


def run(lab: Lab, module: str, task: DataclassInstance) -> Measured:
    """Run a candidate. Raise `PipelineError` if it fails."""
    return Measured(**run_module(lab, module, task))


def run_module(lab: Lab, module: str, task: DataclassInstance) -> dict[str, Any]:
    """Run `python -m MODULE TASK RESULT` and gives what it wrote."""
    place = lab.fresh(module.rpartition(".")[2])
    given, result = place / "task.json", place / "result.json"
    given.write_bytes(orjson.dumps(asdict(task)))
    with running(lambda: lab.spawn(place.name, module, str(given), str(result))) as (process,):
        process.wait(TIMEOUT)
    found: dict[str, Any] = orjson.loads(result.read_bytes())
    return found
