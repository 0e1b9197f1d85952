"""The scenes by name. Each runs in a process of its own, and its figures come back as JSON."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, NamedTuple, Protocol

import orjson

from bench.limits.backlog import backlog
from bench.limits.campaigns import campaigns
from bench.limits.crashes import crashes
from bench.limits.pair import pair
from bench.limits.scheduler import scheduler
from bench.process import clean_environment
from pipeline.errors import PipelineError


class Found(Protocol):
    """The figures of a scene: a dataclass."""

    def problems(self) -> list[str]:
        """Return one line for each bound that was not kept."""


class Report(NamedTuple):
    """A scene's figures.

    Attributes:
        problems: one line for each bound that was not kept.
        cpu: seconds of processor time.
    """

    figures: Mapping[str, Any]
    problems: Sequence[str]
    cpu: float


def _campaigns(given: Sequence[str]) -> Found:
    numbers, seconds = given
    return campaigns(int(numbers), float(seconds))


def _backlog(given: Sequence[str]) -> Found:
    queued, seconds, *drain = given
    return backlog(int(queued), float(seconds), drain=bool(drain))


def _crashes(given: Sequence[str]) -> Found:
    kills, moves, seconds = given
    return crashes(int(kills), int(moves), float(seconds))


SCENES: Final[Mapping[str, Callable[[Sequence[str]], Found]]] = {
    "campaigns": _campaigns,
    "backlog": _backlog,
    "crashes": _crashes,
    "pair": lambda given: pair(given[0]),
    "scheduler": lambda given: scheduler(int(given[0])),
}


def run(name: str, given: Sequence[str]) -> bytes:
    """Run a scene here. Return its report."""
    began = time.process_time()
    found: Any = SCENES[name](given)
    report = Report(asdict(found), found.problems(), time.process_time() - began)
    return orjson.dumps(report._asdict())


def measured(name: str, *given: object) -> Report:
    """Run a scene in a process of its own. Raises `PipelineError` if that fails."""
    argv = [sys.executable, "-m", "bench.limits", name, *map(str, given)]
    done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, env=clean_environment())
    if done.returncode:
        raise PipelineError(f"the scene {name} ended with {done.returncode}")
    return Report(**orjson.loads(done.stdout))
