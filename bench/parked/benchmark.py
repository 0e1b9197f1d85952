"""Park N commands of one account, kill the worker, and start it again with its volume and without."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import orjson

from bench import webhooks
from bench.accounts import Number, neighbours
from bench.broker import PARTITIONS, create_topics, load
from bench.commands import maker
from bench.end_to_end.stack import sandbox
from bench.lab import Lab, lab
from bench.parked import sizes
from bench.parked.messenger import Messenger, Seen, messenger
from bench.parked.rows import count_records
from bench.report import Result, Table
from pipeline.errors import PipelineError
from pipeline.topics.catalogue import COMMANDS_BULK

MAX_MIB: Final = 300.0
"""MiB that the worker may have, however many records are parked."""
MAX_START: Final = 30.0
"""Seconds from the start of a killed worker, with its volume, until it sends a command of another account."""
SLOWEST: Final = 500.0
"""Records per second that are parked or recovered at least. A slower run ends with an error."""
SETTLE: Final = 40.0
"""Seconds that a phase may take whatever the number of records is."""
MIB: Final = 1 << 20
BYTES: Final = 1_600
"""Bytes on the disk for each record, in all: topic, changelog and table, with room for compactions."""

NOTES: Final = (
    "One number's gateway refuses connections. A healthy number has the same partition of commands.bulk.",
    "s: from the start of the process until all is parked, or until it is ready. To send: until a command of the",
    "healthy number, published then, is sent. Killed: by SIGKILL while all records are parked. Peak: resident memory.",
    "Right: the slowest answer to GET /parked and /metrics, asked twice a second, and of `pipeline parked`, a process.",
)


@dataclass(frozen=True)
class Phase:
    """One life of the worker. It ends by SIGKILL.

    Attributes:
        seconds: until all was parked, or until it was ready.
        sent: seconds until the healthy number's command was sent.
        handled: records that it parked or recovered in these seconds.
    """

    name: str
    seconds: float
    sent: float
    handled: int
    seen: Seen


def parked(records: int, tell: Callable[[str], None]) -> Result:
    with lab() as place, sandbox(place) as url:
        require_disk(place.directory, records)
        run = _Run(place, url, records, tell)
        figures = run.all()
    over = problems(run.phases)
    if over:
        raise PipelineError("; ".join(over))
    return Result("parked", [table(records, figures, run.phases)], figures)


def problems(phases: list[Phase]) -> list[str]:
    """Return one line for each bound that was not kept."""
    over = [f"{one.name}: {one.seen.peak:.0f} MiB, of {MAX_MIB:.0f}" for one in phases if one.seen.peak > MAX_MIB]
    if phases[1].sent > MAX_START:
        over.append(f"{phases[1].name}: {phases[1].sent:.1f} s until another account's command, of {MAX_START:.0f}")
    return over


def table(records: int, figures: dict[str, Any], phases: list[Phase]) -> Table:
    rows = [
        [
            one.name,
            f"{one.seconds:,.1f}",
            f"{one.sent:,.1f}",
            f"{one.handled / one.seconds:,.0f}" if one.handled else "",
            f"{one.seen.peak:.0f}",
            *(f"{one.seen.answers.get(asked, 0.0):.2f}" for asked in ("/parked", "/metrics", "pipeline parked")),
        ]
        for one in phases
    ]
    columns = ["the worker", "s", "to send", "records/s", "peak MiB", "/parked", "/metrics", "pipeline parked"]
    disk = ", ".join(f"{name} {figures[name] / MIB:,.0f} MiB" for name in ("topic", "changelog", "rocksdb"))
    return Table(f"{records:,} parked commands of one account", columns, rows, (*NOTES, f"On the disk: {disk}."))


def require_disk(directory: Path, records: int) -> None:
    """Raise `PipelineError` unless so many records have room there."""
    free, needed = shutil.disk_usage(directory).free, records * BYTES
    if free < needed:
        detail = f"{needed / MIB:,.0f} MiB are needed, and {free / MIB:,.0f} are free"
        raise PipelineError(f"no room in {directory.parent}: {detail}. Set TMPDIR, or give fewer --records")


class _Run:
    def __init__(self, place: Lab, url: str, records: int, tell: Callable[[str], None]) -> None:
        self._lab = place
        self._url = url
        self._records = records
        self._tell = tell
        self._data = place.fresh("data")
        self._sent = 0
        self.phases: list[Phase] = []
        self._healthy = webhooks.ACCOUNT  # the one that the sandbox knows
        self._away = next(neighbours(self._healthy, PARTITIONS))
        numbers = [
            Number("away", self._away, f"http://127.0.0.1:{place.port()}"),
            Number("healthy", self._healthy, url),
        ]
        self._env = place.environment(place.tenants_file(numbers), self._data)

    def all(self) -> dict[str, Any]:
        asyncio.run(create_topics(self._lab.bootstrap))
        began = time.monotonic()
        self._load("away", self._away, self._records)
        self._tell(f"{self._records:,} commands published in {time.monotonic() - began:.0f} s")
        self._life("parks them", self._park, self._records)
        figures: dict[str, Any] = self._sizes()
        self._life("killed, with its volume", self._come_back)
        shutil.rmtree(self._data)
        self._data.mkdir()
        self._life("killed, without it", self._come_back, self._records)
        figures |= {f"{name} after recovery": size for name, size in self._sizes().items()}
        return figures | {"records": self._records, "phases": [asdict(phase) for phase in self.phases]}

    def _life(self, name: str, live: Callable[[Messenger], tuple[float, float]], handled: int = 0) -> None:
        with messenger(self._lab, self._env) as worker:
            seconds, sent = live(worker)
            self._require("`pipeline parked` shows", worker.shown())
            worker.process.kill()
            self._require("its table has", count_records(self._data))
        self.phases.append(Phase(name, seconds, sent, handled, worker.seen))
        self._tell(f"{name}: {seconds:.1f} s, {sent:.1f} s to send, {worker.seen.peak:.0f} MiB")

    def _require(self, who: str, found: int) -> None:
        if found != self._records:
            raise PipelineError(f"{who} {found:,} of {self._records:,} records")

    def _park(self, worker: Messenger) -> tuple[float, float]:
        worker.until(lambda: worker.ready, SETTLE, "readiness")
        sent = self._send(worker)
        return worker.until(lambda: worker.parked() >= self._records, self._longest, "end of parking"), sent

    def _come_back(self, worker: Messenger) -> tuple[float, float]:
        ready = worker.until(lambda: worker.ready, self._longest, "readiness")
        sent = self._send(worker)
        worker.until(lambda: worker.parked() >= self._records, SETTLE, "parked records")
        return ready, sent

    def _send(self, worker: Messenger) -> float:
        """Publish a command of the healthy number; return the worker's age when it was sent."""
        number = self._records + self._sent  # a command's id, which no other one may have
        self._load("healthy", self._healthy, number + 1, number)
        self._sent += 1
        return worker.until(lambda: self._arrived() >= self._sent, self._longest, "command of the healthy number")

    @property
    def _longest(self) -> float:
        return SETTLE + self._records / SLOWEST

    def _load(self, tenant: str, account: str, stop: int, start: int = 0) -> None:
        asyncio.run(load(self._lab.bootstrap, COMMANDS_BULK.name, range(start, stop), maker(tenant, account)))

    def _arrived(self) -> int:
        with urlopen(f"{self._url}/_sandbox/stats", timeout=60) as response:
            return int(orjson.loads(response.read())["sent"]["total"])

    def _sizes(self) -> dict[str, int]:
        kafka: Path = self._lab.directory / "kafka"
        return {
            "topic": sizes.topic_bytes(kafka, COMMANDS_BULK.name),
            "changelog": sizes.topic_bytes(kafka, "messenger-parked-changelog"),
            "rocksdb": sizes.table_bytes(self._data, "parked"),
        }
