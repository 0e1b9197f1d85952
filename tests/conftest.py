"""What every test can ask for: one embedded Kafka, one Redis, and whole stacks on ports of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, settings

from pipeline.local.kafka import Kafka
from pipeline.local.redis import RedisServer
from tests.support.ports import free_ports
from tests.support.stacks import ROOT, Stack

# Machines are shared: how long a test takes is no finding.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

# `python -m pytest` puts the checkout first on the path; it belongs last, as in a process of `pipeline`.
sys.path[:] = [each for each in sys.path if Path(each).resolve() != ROOT] + [str(ROOT)]

os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
"""Brokers of tests live for seconds: what Java's second compiler costs is never earned."""

LAYERS = ("unit", "stage", "integration", "faults")
"""The folders of tests, in the order of running: what fails fast comes first."""
SERVERS = {"kafka", "redis_server", "stack"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders what is run and marks what needs servers or kills processes."""
    for item in items:
        if SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)
        if _layer(item.path) == LAYERS.index("faults"):
            item.add_marker(pytest.mark.faults)
    items.sort(key=lambda item: _layer(item.path))


def _layer(path: Path) -> int:
    folder = path.relative_to(Path(__file__).parent).parts[0]
    return LAYERS.index(folder) if folder in LAYERS else len(LAYERS)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One Kafka for the whole run. Topics are not created by themselves; give yours names of their own."""
    first = free_ports()
    server = Kafka(tmp_path_factory.mktemp("kafka"), first, first + 1)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One Redis for the whole run. Give your keys a prefix of their own."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), free_ports())
    try:
        server.start()
        yield server
    finally:
        server.stop()


class StackFactory(Protocol):
    """Starts a `pipeline up`. With another's `data_dir` it continues with that one's data."""

    def __call__(
        self, *args: str, data_dir: Path | None = None, first_port: int | None = None, env: Mapping[str, str] = ...
    ) -> Stack: ...


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackFactory]:
    """A factory of whole stacks; call `wait_ready()` on what it gives. Whatever still runs is stopped."""
    started: list[Stack] = []
    numbers = count()

    def start(
        *args: str, data_dir: Path | None = None, first_port: int | None = None, env: Mapping[str, str] | None = None
    ) -> Stack:
        number = next(numbers)
        place = data_dir or tmp_path / f"stack-{number}"
        made = Stack(first_port or free_ports(), place, tmp_path / f"up-{number}.out", args, env or {})
        started.append(made)
        return made

    yield start
    for made in started:
        try:
            made.stop()
        except subprocess.TimeoutExpired:
            made.kill()
