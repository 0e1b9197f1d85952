"""The machine that it runs on, the versions that it runs, and how much else goes on there."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

from pipeline.local.jars import KAFKA_VERSION

PACKAGES: Final = (
    "faust-streaming",
    "mode-streaming",
    "aiokafka",
    "rocksdict",
    "aiohttp",
    "orjson",
    "msgspec",
    "uvloop",
)
QUIET: Final = 0.5
"""Load average of a machine on which nothing else runs."""


def describe() -> dict[str, Any]:
    """Processor, cores, memory (bytes), load average and versions."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "load": list(os.getloadavg()),
        "versions": {"python": platform.python_version(), "kafka": KAFKA_VERSION} | _versions(PACKAGES),
    }


def lines(machine: dict[str, Any]) -> list[str]:
    """Return the same for people."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    found = [f"{machine['cores']} cores of {machine['processor']}, {machine['memory'] / 2**30:.0f} GiB", versions]
    load = machine["load"][0]
    if load > QUIET:
        found.append(f"The load average is {load:.2f}: something else runs here, so expect wider spreads.")
    return found


class Elsewhere:
    """How busy the machine was with what this benchmark did not start: cores, since it was made.

    What has ended since is not ours to see any more, so processes that we wait for count as ours (`children_user`).
    """

    def __init__(self) -> None:
        self._before = self._others()
        self._at = time.monotonic()

    def cores(self) -> float:
        return max(0.0, (self._others() - self._before) / max(time.monotonic() - self._at, 1e-9))

    @staticmethod
    def _others() -> float:
        times = psutil.cpu_times()
        busy = times.user + times.nice + times.system + getattr(times, "steal", 0.0)
        return float(busy - _ours())


def _ours() -> float:
    me = psutil.Process()
    spent = me.cpu_times()
    total = spent.user + spent.system + spent.children_user + spent.children_system
    return float(total + sum(_spent(child) for child in me.children(recursive=True)))


def _spent(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions(names: Iterable[str]) -> dict[str, str]:
    return {name: version(name) for name in names}
