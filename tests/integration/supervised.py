"""Runs the supervisor over small fake services: a store, a worker after it, a door after the worker."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from rich.console import Console

from pipeline.local.ports import Ports
from pipeline.local.probe import http_ready
from pipeline.local.report import StackReporter
from pipeline.local.services import Service
from pipeline.local.supervisor import Supervisor

FAKE = Path(__file__).with_name("fake_service.py")


def service(name: str, port: int, directory: Path, tempers: dict[str, str], after: tuple[str, ...]) -> Service:
    argv = [sys.executable, str(FAKE), name, str(port), str(directory / "journal"), tempers.get(name, "mild")]
    return Service(
        name, argv, None, f"127.0.0.1:{port}", after, partial(http_ready, "127.0.0.1", port), store=not after
    )


def main(port: int, directory: Path, *options: str) -> int:
    """`options` are `name=stubborn`, which does not stop when told, or `name=broken`, which never starts."""
    tempers = dict(option.split("=") for option in options if "=" in option)
    services = [
        service("store", port, directory, tempers, ()),
        service("worker", port + 1, directory, tempers, ("store",)),
        service("door", port + 2, directory, tempers, ("worker",)),
    ]
    report = StackReporter(Console(), Ports.starting_at(port), directory)
    return Supervisor(services, directory / "logs", report, follow="--verbose" in options).run()


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
