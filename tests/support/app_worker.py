"""`pipeline worker APP…` on the shared broker, in a process of its own."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from pipeline.local.kafka import Kafka
from tests.integration.installation import PARTITIONS
from tests.support.ports import free_ports
from tests.support.stacks import ROOT, Process, eventually
from tests.support.waiting import HANG


class AppWorker(Process):
    """A worker of some apps.

    Args:
        place: the folder of its output; its data is below, in the folder `name`.
        settings: `KAFKA="…"` is `PIPELINE_KAFKA`.
    """

    def __init__(
        self, apps: Sequence[str], kafka: Kafka, place: Path, name: str, tenants: Path, **settings: object
    ) -> None:
        self.port = free_ports()
        own = {
            "KAFKA": kafka.bootstrap,
            "PARTITIONS": PARTITIONS,
            "TENANTS": tenants,
            "DATA_DIR": place / name,
            "WORKER_PORT": self.port,
        }
        env = {f"PIPELINE_{key}": str(value) for key, value in {**own, **settings}.items()}
        argv = [sys.executable, "-m", "pipeline.cli", "worker", *apps]
        super().__init__(argv, place / f"{name}.out", env, ROOT)

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and the body of its health server; status 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=HANG) as response:
                return int(response.status), response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    @property
    def ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def wait_ready(self) -> None:
        eventually(lambda: self.ready or self.ended, lambda: self.output)
        assert self.ready, self.output

    def unfinished(self, *states: str) -> int:
        """Return how many records it has taken or parked and not finished, in these states, or in all."""
        partitions = [work for app in json.loads(self.get("/lag")[1]).values() for work in app.values()]
        return sum(work[state] for work in partitions for state in states or ("runnable", "held", "parked", "loaded"))

    def metric(self, name: str, *labels: str) -> float:
        """Return the sum of a metric's series that have all of these labels, such as `provider="cloud"`."""
        lines = self.get("/metrics")[1].splitlines()
        found = (line for line in lines if line.startswith(name + "{") and all(label in line for label in labels))
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)
