"""`python -m chaos.flood`: a broker, an ingress, the attack; ends with 1 if an authentic webhook suffers from it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from chaos.flood.campaign import campaign
from pipeline.local.free_ports import free_ports
from pipeline.local.kafka import Kafka
from pipeline.local.probe import http_ready
from pipeline.runtime.kafka.admin import create
from pipeline.tenants import SAMPLE
from pipeline.topics.catalogue import RAW


def main(
    *,
    seconds: Annotated[float, typer.Option(min=1, help="How long.")] = 60,
    sockets: Annotated[int, typer.Option(min=1, help="How many are held open.")] = 2_000,
) -> None:
    """Hold sockets open that send nothing, half a head or no body, and send webhooks meanwhile."""
    first = free_ports()
    with _kafka(first) as bootstrap, _ingress(bootstrap, first + 2):
        figures = asyncio.run(campaign(first + 2, seconds, sockets))
    typer.echo(str(figures))
    raise typer.Exit(0 if figures.withstood else 1)


@contextmanager
def _kafka(port: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as place:
        server = Kafka(Path(place), port, port + 1)
        try:
            server.start()
            asyncio.run(create(server.bootstrap, [RAW], partitions=8, replication=1))
            yield server.bootstrap
        finally:
            server.stop()


@contextmanager
def _ingress(kafka: str, port: int) -> Iterator[None]:
    ours = {"PIPELINE_KAFKA": kafka, "PIPELINE_TENANTS": str(SAMPLE), "PIPELINE_INGRESS_PORT": str(port)}
    argv = [sys.executable, "-m", "pipeline.cli", "ingress"]
    with subprocess.Popen(argv, env={**os.environ, **ours}) as process:  # noqa: S603 (all ours)
        try:
            while not http_ready("127.0.0.1", port):
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


if __name__ == "__main__":
    typer.run(main)
