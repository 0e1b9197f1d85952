"""The processes that take webhooks: ours and the stock one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from bench.lab import Lab
from bench.process import Process, running
from pipeline.local.probe import http_ready

OURS: Final = ("pipeline.cli", "ingress")
STOCK: Final = ("bench.stock", "ingress")


@contextmanager
def door(lab: Lab, command: tuple[str, ...], env: Mapping[str, str]) -> Iterator[tuple[Process, int]]:
    """A door that serves, and its port."""
    port = lab.port()
    settings = {**env, "PIPELINE_INGRESS_PORT": str(port)}
    with running(lambda: lab.spawn("-".join(command), *command, env=settings)) as (process,):
        process.wait_until(lambda: http_ready("127.0.0.1", port))
        yield process, port
