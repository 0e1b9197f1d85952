"""The target of a run: this pipeline, or the same stages on stock Faust.

Stock workers (`bench.stock`) are started by their command lines, like everything else: same topics, settings, tenants,
handler, sandbox, traffic and faults. Nothing of theirs is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from pipeline.errors import UsageError
from pipeline.local.services import Service
from pipeline.topics import catalogue as topics

ROOT: Final = Path(__file__).parents[1]
AT_ONCE: Final = 100
"""Events that a concurrent stock agent works on at once: as many conversations as our workers do."""
_REPLACED: Final = ("ingress", "intake", "handlers", "messenger")


class Target(StrEnum):
    """The stack whose processes are killed."""

    PIPELINE = "pipeline"
    STOCK = "stock"
    """Plain agents, 100 events at once in handlers and messenger, without which slow handlers fall behind."""
    STOCK_IN_ORDER = "stock-in-order"
    """The same, one event at a time."""

    @property
    def stock(self) -> bool:
        return self is not Target.PIPELINE


def groups(target: Target, without: Collection[str] = ()) -> dict[str, Sequence[str]]:
    """Return the consumer groups, save those of the apps `without`, and what they read.

    Stock needs no receipts: it has no sends in doubt.
    """
    commands = (topics.COMMANDS_INTERACTIVE.name, topics.COMMANDS_BULK.name)
    known: dict[str, Sequence[str]] = {
        topics.INTAKE: (topics.RAW.name,),
        f"{topics.HANDLERS}-default": (topics.events("default").name,),
        topics.MESSENGER: commands if target.stock else (*commands, topics.RECEIPTS.name),
    }
    return {group: names for group, names in known.items() if group.removesuffix("-default") not in without}


def aimed(service: Service, target: Target) -> Service:
    """Return the service as `target` runs it. Raise `UsageError` where the stock workers are not there to be run."""
    if not target.stock or service.name not in _REPLACED:
        return service
    if not (ROOT / "bench" / "stock").is_dir():
        raise UsageError("the stock workers are in bench/ of a checkout: run it there")
    at_once = AT_ONCE if target is Target.STOCK else 1
    env = {**(service.env or {}), "BENCH_STOCK_CONCURRENCY": str(at_once)}
    return replace(service, argv=[sys.executable, "-m", "bench.stock", service.name], env=env)
