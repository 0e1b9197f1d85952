"""The place of a run: a Kafka and a Redis of its own, free ports, and a directory that goes with it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from bench import webhooks
from bench.accounts import UNLIMITED, Number, write_tenants
from bench.ports import free_ports
from bench.process import Process
from pipeline.local.kafka import Kafka
from pipeline.local.redis import RedisServer


class Lab:
    """The environment of every benchmark."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._ports = free_ports()
        self._numbers = count()
        self.kafka = Kafka(directory / "kafka", self.port(), self.port())
        self.redis = RedisServer(directory / "redis", self.port())

    @property
    def bootstrap(self) -> str:
        return self.kafka.bootstrap

    def port(self) -> int:
        """Return a port that nobody has been given."""
        return next(self._ports)

    def fresh(self, name: str) -> Path:
        """Return a new directory."""
        path = self.directory / f"{next(self._numbers):03d}-{name}"
        path.mkdir()
        return path

    def tenants(self, base_url: str, *, limited: bool = False) -> Path:
        """Return a tenants file with one tenant and one number at `base_url`, without a limit or `limited`."""
        limits = {} if limited else UNLIMITED
        return self.tenants_file([Number(webhooks.TENANT, webhooks.ACCOUNT, base_url, limits=limits)])

    def tenants_file(self, numbers: Iterable[Number]) -> Path:
        """Return a tenants file of these numbers."""
        return write_tenants(self.fresh("tenants") / "tenants.yaml", numbers)

    def spawn(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> Process:
        """Start `python -m ARGUMENTS`."""
        return Process(name, [sys.executable, "-m", *arguments], self.directory / f"{name}.log", env)

    def environment(self, tenants: Path, data_dir: Path) -> dict[str, str]:
        """Return the settings of a worker, as variables."""
        return {
            "PIPELINE_KAFKA": self.bootstrap,
            "PIPELINE_REDIS": self.redis.url,
            "PIPELINE_TENANTS": str(tenants),
            "PIPELINE_DATA_DIR": str(data_dir),
            "PIPELINE_PARTITIONS": "8",
            "PIPELINE_REPLICATION": "1",
            "PIPELINE_SESSION_TIMEOUT": "10",
            "PIPELINE_LOG_LEVEL": "warning",
        }


@contextmanager
def lab() -> Iterator[Lab]:
    """Start the stores; stops them and deletes everything in the end."""
    with tempfile.TemporaryDirectory(prefix="pipeline-bench-") as directory:
        made = Lab(Path(directory))
        try:
            made.kafka.start()
            made.redis.start()
            yield made
        finally:
            made.redis.stop()
            made.kafka.stop()
