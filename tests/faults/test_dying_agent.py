"""An agent that dies while another worker joins: on stock Faust the group waits for it, on ours it does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.local.kafka import Kafka
from tests.faults import loss_cases as cases
from tests.faults.loss_cases import RAISED, Order
from tests.faults.loss_lab import Side, committed, create, feed, group_state
from tests.support.stacks import eventually
from tests.support.waiting import HANG

PATIENCE = 8.0
"""Seconds after which stock Faust's joiner still waits. The dead worker never ends."""
REBALANCE = 3 * HANG
"""Seconds that a group waits for a member, on both sides: longer than any wait of the test, so that order tells."""
SETTINGS = {
    "PIPELINE_SESSION_TIMEOUT": "60",  # Faust's default: nobody is to be rescued by a session that ends
    "PIPELINE_HANDLER_TIMEOUT": str(REBALANCE),
    "APP_OPTIONS": f'{{"broker_rebalance_timeout": {REBALANCE}}}',
}
MODULES = ("stock_worker", "our_worker")


@contextmanager
def _worker(kafka: Kafka, module: str, name: str, directory: Path) -> Iterator[Side]:
    worker = Side(kafka.bootstrap, module, name, directory, "dying", **SETTINGS)
    try:
        yield worker
    finally:
        worker.kill()


@pytest.fixture
def names(kafka: Kafka) -> tuple[str, str]:
    run = uuid4().hex[:8]
    made = f"stock-{run}", f"ours-{run}"
    create(kafka.bootstrap, made)
    return made


def test_the_join_takes_no_longer_than_without_it(kafka: Kafka, names: tuple[str, str], tmp_path: Path) -> None:
    """One bug in one agent would stop a whole group for a minute, and a deployment would hang until somebody kills."""
    go, began = tmp_path / "go", {name: tmp_path / f"began-{name}" for name in names}
    sides = list(zip(MODULES, names, strict=True))
    with ExitStack() as running:

        def start(directory: str) -> list[Side]:
            return [running.enter_context(_worker(kafka, *side, tmp_path / directory / side[0])) for side in sides]

        first = start("first")
        for worker in first:
            worker.wait_until_ready()
        feed(kafka.bootstrap, [(cases.source(name, RAISED), _fatal(go, began[name])) for name in names])
        eventually(lambda: all(path.exists() for path in began.values()), "the agents began")
        stock, ours = start("second")
        eventually(lambda: {_state(kafka, name) for name in names} == {"PreparingRebalance"}, "both are joined")
        go.touch()
        since = time.monotonic()
        first[0].wait_for("RuntimeError")
        assert first[1].wait() == 1, "who can't finish what it has taken ends"
        ours.wait_until_ready()
        eventually(lambda: ours.ended, "the second one is given the same record, and ends by it too")
        time.sleep(max(0.0, since + PATIENCE - time.monotonic()))  # what must not happen would happen in this time
        assert _state(kafka, names[0]) == "PreparingRebalance"
        assert not stock.ready
        assert not first[0].ended
    assert all(committed(kafka.bootstrap, name).get(RAISED, 0) == 0 for name in names)


def _state(kafka: Kafka, name: str) -> str:
    return group_state(kafka.bootstrap, name)


def _fatal(go: Path, began: Path) -> Order:
    return {"id": "raised-0", "do": "raise", "until": str(go), "began": str(began)}
