"""The place of a run: a Kafka and a Redis of its own, free ports, and a directory that goes with it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import yaml

from bench import webhooks
from bench.ports import free_ports
from bench.process import Process
from pipeline.local.kafka import Kafka
from pipeline.local.redis import RedisServer

UNLIMITED = 1_000_000
"""Messages per second: more than can be sent, so that the limiter is passed and never waits."""


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
        path = self.fresh("tenants") / "tenants.yaml"
        path.write_text(yaml.safe_dump(_tenants(base_url, {} if limited else {"messages_per_second": UNLIMITED})))
        return path

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


def _tenants(base_url: str, limits: Mapping[str, int]) -> dict[str, object]:
    account = {
        "provider": "cloud",
        "id": webhooks.ACCOUNT,
        "business_id": webhooks.BUSINESS,
        "token": webhooks.TOKEN,
        "base_url": base_url,
        "limits": dict(limits),
    }
    app = {"id": "bench", "app_secrets": [webhooks.APP_SECRET.decode()], "verify_token": webhooks.VERIFY_TOKEN}
    return {"cloud_apps": [app], "tenants": [{"id": webhooks.TENANT, "accounts": [account]}]}
