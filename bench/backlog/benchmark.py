"""Each worker alone in front of its backlog. Ends with an error when one needs more than the stated limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Final

from bench import commands, webhooks
from bench.backlog import slow
from bench.backlog.watch import Watched, watch
from bench.broker import create_topics, load, size
from bench.end_to_end.stack import sandbox
from bench.lab import Lab, lab
from bench.options import Options
from bench.report import Result, Table
from pipeline.errors import PipelineError
from pipeline.topics.catalogue import COMMANDS_BULK, RAW, events
from pipeline.topics.records import Record

LIMIT: Final = 512.0
"""MiB that no worker may need, whatever waits for it."""
IDLE_SECONDS: Final = 2.0
EVENTS: Final = events("default").name

NOTES: Final = (
    "One worker after the other, on 8 partitions. Resident memory, looked at five times a second; idle: empty topics.",
    "A worker that is not through after --hold seconds is stopped: the rest of its backlog is still in Kafka.",
)


def backlog(options: Options, tell: Callable[[str], None]) -> Result:
    with lab() as place, sandbox(place) as url:
        found = _Run(place, url, options, tell).all()
    over = [f"{name} needed {one.peak:.0f} MiB" for name, one in found.items() if one.peak > LIMIT]
    if over:
        raise PipelineError(f"{', '.join(over)} in front of {options.backlog:,} records: {LIMIT:.0f} MiB is the limit")
    return Result("backlog", [table(found, options.backlog)], {name: asdict(one) for name, one in found.items()})


def table(found: Mapping[str, Watched], waiting: int) -> Table:
    rows = [
        [name, f"{one.idle:.0f}", f"{one.peak:.0f}", f"{one.done:,}", f"{one.seconds:.0f}"]
        for name, one in found.items()
    ]
    columns = ["worker", "idle MiB", "peak MiB", "records done", "in s"]
    return Table(f"{waiting:,} records wait: no worker needs {LIMIT:.0f} MiB", columns, rows, NOTES)


class _Run:
    def __init__(self, place: Lab, url: str, options: Options, tell: Callable[[str], None]) -> None:
        self._lab = place
        self._options = options
        self._tell = tell
        self._limited = place.environment(place.tenants(url, limited=True), place.fresh("limited"))
        self._free = place.environment(place.tenants(url), place.fresh("free"))

    def all(self) -> dict[str, Watched]:
        asyncio.run(create_topics(self._lab.bootstrap))
        idle = {app: self._watch(app, self._free, 0, IDLE_SECONDS)[0] for app in ("intake", "handlers", "messenger")}
        self._load(RAW.name, webhooks.record)
        found = {"intake": self._one(idle, "intake", self._free)}
        self._require_all_events(found["intake"])
        late = self._free | {"PIPELINE_HANDLER": slow.PATH}
        found["handlers, 1 s an event"] = self._one(idle, "handlers", late)
        found["handlers"] = self._one(idle, "handlers", self._free)
        self._load(COMMANDS_BULK.name, commands.record)
        found["messenger, one number at its limit"] = self._one(idle, "messenger", self._limited)
        found["messenger, limit lifted"] = self._one(idle, "messenger", self._free)
        return found

    def _load(self, topic: str, make: Callable[[int, str], Record]) -> None:
        self._tell(f"{self._options.backlog:,} records for {topic}")
        asyncio.run(load(self._lab.bootstrap, topic, range(self._options.backlog), make))

    def _one(self, idle: Mapping[str, float], app: str, env: Mapping[str, str]) -> Watched:
        peak, done, seconds = self._watch(app, env, self._options.backlog, self._options.hold)
        self._tell(f"{app}: {done:,} records in {seconds:.0f} s, {peak:.0f} MiB at most")
        return Watched(idle[app], peak, done, seconds)

    def _watch(self, app: str, env: Mapping[str, str], waiting: int, seconds: float) -> tuple[float, int, float]:
        return watch(self._lab, app, env, waiting, seconds)

    def _require_all_events(self, found: Watched) -> None:
        """Check that the events that the intake reports are on the topic, once."""
        there = asyncio.run(size(self._lab.bootstrap, EVENTS))
        if there < found.done or there > self._options.backlog:
            raise PipelineError(f"{found.done:,} webhooks became {there:,} events")
