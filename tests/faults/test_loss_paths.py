"""The six ways in which stock Faust loses a record, each on stock Faust and on ours, on a real Kafka.

One stock worker (`stock_worker`) and one of ours (`our_worker`) get the same records, are killed in the same moment,
and come back. A record is lost where the group's position is past it and it is neither among the outputs nor among the
dead letters.

| | record | what happens to it |
| --- | --- | --- |
| L1 | `unfinished-3` | is being worked on, while later ones finish, when the worker is killed |
| L2 | `raised-4` | its agent raises |
| L3 | `batch-5` | its agent raises in the midst of `take(4)` |
| L4 | `refused-1`, `-3`, … | the broker refuses what became of it |
| L5 | `flush-0` | writes 4,000 rows to a table; the broker is silent for a moment; the power fails after the commit |
| L6 | `cancelled-1` | is being worked on when the worker is told to stop (stock with `stream_wait_empty=False`) |

L5 on a real broker: it is stopped for half a second (SIGSTOP), as a garbage collection or a moved virtual machine stops
it, while rows wait in the producer's buffer. Stock Faust's flush gives up after a tenth of a second without a completed
send, waits for what the client has taken already (32 rows), and commits: the rest of the rows is in the worker only. It
goes out within a quarter of a second, so that the worker has to die in this time. So that nothing rests on luck, both
workers kill themselves right after the first commit of that record's topic (`power`), as a failing power supply may.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.local.kafka import Kafka
from tests.faults import loss_cases as cases
from tests.faults.loss_cases import BATCH, CANCELLED, FLUSH, RAISED, REFUSED, UNFINISHED, Order
from tests.faults.loss_lab import Found, Side, create, feed, frozen, look, until_committed
from tests.integration.runtime_client import configure
from tests.support.stacks import eventually

EACH = 10
STATIC = {"PIPELINE_INSTANCE_ID": "one"}


class Lab:
    """Both sides, and what is fed to them."""

    def __init__(self, kafka: Kafka, directory: Path) -> None:
        run = uuid4().hex[:8]
        self.kafka = kafka
        self.directory = directory
        self.stock, self.ours = f"stock-{run}", f"ours-{run}"
        self.plain = f"{self.ours}-plain"
        self.fed: dict[str, list[str]] = {path: [] for path in cases.PATHS}
        self._workers: list[Side] = []

    @property
    def names(self) -> tuple[str, str, str]:
        return self.stock, self.ours, self.plain

    def start(self, **env: str) -> tuple[Side, Side]:
        """Starts both. What comes before a stock worker is ready it may skip, so the test waits until it is."""
        both = self._start("stock_worker", self.stock, **env), self._start("our_worker", self.ours, **env)
        for worker in both:
            worker.wait_until_ready()
        return both

    def _start(self, module: str, name: str, **env: str) -> Side:
        worker = Side(self.kafka.bootstrap, module, name, self.directory / module, **STATIC, **env)
        self._workers.append(worker)
        return worker

    def stop(self) -> None:
        for worker in self._workers:
            worker.kill()

    def path(self, file: str) -> str:
        return str(self.directory / file)

    def feed(self, path: str, orders: list[Order], *names: str) -> None:
        self.fed[path] += [order["id"] for order in orders]
        sides = names or self.names[:2]
        feed(
            self.kafka.bootstrap,
            [(cases.source(name, path), self._at(name, each)) for name in sides for each in orders],
        )

    def _at(self, name: str, order: Order) -> Order:
        """Each side tells by a file of its own that it began."""
        return {**order, "began": self.path(f"{order['id']}-began-{name}")} if "began" in order else order

    def wait_until_began(self, id_: str) -> None:
        signs = [Path(self.path(f"{id_}-began-{name}")) for name in self.names]
        eventually(lambda: all(path.exists() for path in signs), f"{id_} began everywhere")


@pytest.fixture(scope="module")
def lab(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(kafka, tmp_path_factory.mktemp("losses"))
    create(kafka.bootstrap, made.names)
    for name in made.names:
        sink = cases.sink(name, REFUSED)
        asyncio.run(configure(kafka.bootstrap, sink, {"max.message.bytes": "2000"}))
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def found(lab: Lab) -> dict[str, Found]:
    """What became of everything, by side."""
    stock, ours = lab.start(POWER=str(lab.directory))
    feed_all(lab)
    until_the_power_fails(lab, stock, ours)
    stop_and_go_on_with(lab)
    return {name: look(lab.kafka.bootstrap, name) for name in lab.names}


def feed_all(lab: Lab) -> None:
    lab.feed(UNFINISHED, _orders(UNFINISHED, {3: {"until": lab.path("unfinished")}}), *lab.names)
    lab.feed(RAISED, _orders(RAISED, {4: {"do": "raise"}}))
    lab.feed(BATCH, _orders(BATCH, {5: {"do": "raise"}}))
    lab.feed(CANCELLED, [{"id": "cancelled-0"}], *lab.names)
    lab.feed(REFUSED, _orders(REFUSED, {number: {"text": "x" * 5_000} for number in range(1, EACH, 2)}))


def _orders(path: str, special: dict[int, Order]) -> list[Order]:
    return [{"id": f"{path}-{number}", **special.get(number, {})} for number in range(EACH)]


def until_the_power_fails(lab: Lab, stock: Side, ours: Side) -> None:
    """L1 to L4 happen, then L5."""
    rest = {RAISED: EACH, BATCH: EACH, REFUSED: EACH, CANCELLED: 1}
    plain = {UNFINISHED: 3, CANCELLED: 1}
    wanted = {lab.stock: {UNFINISHED: EACH, **rest}, lab.ours: {UNFINISHED: 3, **rest}, lab.plain: plain}
    until_committed(lab.kafka.bootstrap, wanted)
    rows: Order = {"id": "flush-0", "do": "rows", "until": lab.path("rows"), "began": ""}
    lab.feed(FLUSH, [rows, {"id": "flush-1", "began": ""}], *lab.names)
    lab.wait_until_began("flush-0")
    with frozen(lab.kafka.pid):
        Path(lab.path("rows")).touch()
        lab.wait_until_began("flush-1")
        eventually(Path(lab.path(f"flushing-{lab.stock}")).exists, "stock Faust's flush has given up")
    assert (stock.wait(), ours.wait()) == (-signal.SIGKILL, -signal.SIGKILL)


def stop_and_go_on_with(lab: Lab) -> None:
    """Both come back, get one record more of each kind, and are told to stop in the midst of the last."""
    Path(lab.path("unfinished")).touch()
    stock, ours = lab.start(APP_OPTIONS='{"stream_wait_empty": false}')
    for path in (UNFINISHED, RAISED, BATCH, REFUSED):
        lab.feed(path, [{"id": f"{path}-{EACH}"}], *(lab.names if path == UNFINISHED else lab.names[:2]))
    last: Order = {"id": "cancelled-1", "until": lab.path("cancelled"), "began": ""}
    lab.feed(CANCELLED, [last], *lab.names)
    after = dict.fromkeys((UNFINISHED, RAISED, BATCH, REFUSED), EACH + 1) | {FLUSH: 2}
    wanted = {lab.stock: after, lab.ours: after, lab.plain: {UNFINISHED: EACH + 1, FLUSH: 2}}
    until_committed(lab.kafka.bootstrap, wanted)
    lab.wait_until_began("cancelled-1")
    for worker in (stock, ours):
        worker.signal(signal.SIGTERM)
    stock.wait()
    ours.wait_for("worker_stopping")
    Path(lab.path("cancelled")).touch()
    assert ours.wait() == 0, ours.output


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        (UNFINISHED, {"unfinished-3"}),
        (RAISED, {"raised-4"}),
        (BATCH, {"batch-5", "batch-6", "batch-7"}),
        (REFUSED, {f"refused-{number}" for number in range(1, EACH, 2)}),
        (CANCELLED, {"cancelled-1"}),
    ],
)
def test_stock_faust_loses_it_and_ours_does_not(lab: Lab, found: dict[str, Found], path: str, gone: set[str]) -> None:
    """A customer's message would be gone after a crash, a bug, a large answer or a deployment, and nobody be told."""
    fed, stock, ours = set(lab.fed[path]), found[lab.stock], found[lab.ours]
    assert stock.lost(path, fed) >= gone
    assert stock.committed[path] == ours.committed[path] == len(fed)
    assert ours.lost(path, fed) == set()


def test_stock_faust_loses_rows_that_its_flush_gave_up_on_and_ours_does_not(lab: Lab, found: dict[str, Found]) -> None:
    """What a table remembers would be forgotten by whoever recovers it, and its event never come again."""
    stock, ours = found[lab.stock], found[lab.ours]
    assert len(stock.rows) < cases.ROWS
    assert stock.committed[FLUSH] == ours.committed[FLUSH] == 2
    assert len(ours.rows) == cases.ROWS


def test_the_same_agents_lose_nothing_on_our_app(lab: Lab, found: dict[str, Found]) -> None:
    """Whoever brings agents of his own would keep stock Faust's losses."""
    plain = found[lab.plain]
    assert plain.lost(UNFINISHED, lab.fed[UNFINISHED]) == plain.lost(CANCELLED, lab.fed[CANCELLED]) == set()
    assert len(plain.rows) == cases.ROWS
    assert (plain.committed[UNFINISHED], plain.committed[FLUSH], plain.committed[CANCELLED]) == (EACH + 1, 2, 2)
