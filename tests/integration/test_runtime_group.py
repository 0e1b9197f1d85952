"""Workers that join, stop and freeze while others work, and plain agents, on a real Kafka."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from pipeline.local.kafka import Kafka
from tests.integration.runtime_client import PARTITIONS, Site, Worker, copies, keys_of, numbered, site
from tests.integration.runtime_worker import Order
from tests.support.stacks import eventually
from tests.support.waiting import HANG

READY = "Worker ready"
"""Logged whenever a worker has its partitions and its tables."""


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with site(kafka.bootstrap, tmp_path) as made:
        yield made


def test_a_worker_that_joins_waits_only_for_what_is_being_worked_on(place: Site) -> None:
    """Adding a worker to a loaded group would stop the group for a minute, or lose or reorder what was in hand."""
    working, away = str(place.path("working")), str(place.path("away"))
    began = place.path("began")
    place.feed(
        [
            ("working", {"id": "working-0", "do": "hold", "until": working, "began": str(began)}),
            ("backing", {"id": "backing-0", "do": "back off", "until": away}),
            ("waiting", {"id": "waiting-0", "do": "wait", "until": away}),
            *copies("working-1", "backing-1", "waiting-1"),
        ]
    )
    patient = {"PIPELINE_HANDLER_TIMEOUT": str(2 * HANG)}  # the group would wait for longer than the test does
    first = place.ready("concurrent", data_dir="first", **patient)
    eventually(began.exists, "the stage began")
    second = place.start("concurrent", data_dir="second", **patient)
    eventually(lambda: not first.ready, "the second one joins")
    place.feed(numbered(keys=40, each=20))
    place.path("working").touch()
    first.wait_ready()
    second.wait_ready()

    place.wait_written(2 + 40 * 20)
    assert place.committed() != place.ends(), "what backs off is not committed over"
    place.path("away").touch()
    place.wait_committed()
    ids = place.ids()
    assert set(ids) == {f"{key}-{n}" for key in ("working", "backing", "waiting") for n in (0, 1)} | {
        order["id"] for _, order in numbered(keys=40, each=20)
    }
    assert place.in_order()
    assert ids.count("working-0") == 1, "what was finished in time is not done again"


def _assigning(name: str) -> dict[str, str]:
    return {"APP_OPTIONS": orjson.dumps({"PartitionAssignor": f"tests.integration.runtime_worker.{name}"}).decode()}


def test_a_leader_that_knows_of_no_topic_finds_them_before_it_hands_out_their_partitions(place: Site) -> None:
    """A broker that dies while a leader asks for its topics would leave a whole group without work, and call it ready.

    Stock Faust hands out nothing then, until its metadata is five minutes old; static members keep nothing for good.
    """
    place.feed(numbered(keys=5, each=4))
    stock = place.start("chained", data_dir="stock", **_assigning("ForgetfulStockAssignor"))
    stock.wait_for('"partitions":0')
    stock.terminate()
    ours = place.ready("chained", data_dir="ours", **_assigning("ForgetfulAssignor"))
    assert "group_waiting_for_topics" in ours.output
    place.wait_written(5 * 4)


def test_a_worker_whose_client_is_lost_ends_instead_of_waiting_for_ever(place: Site) -> None:
    """It would hold its partitions, do nothing about them, and look as if only the broker were away."""
    worker = place.ready("losing", PIPELINE_STUCK_AFTER="4")
    eventually(lambda: worker.ended, "it ends")
    assert worker.wait() == 1
    assert "the task for the consumer's metadata has ended" in worker.output


def test_a_worker_that_was_frozen_does_not_spoil_the_table(place: Site) -> None:
    """After a machine was paused, events that another worker has seen meanwhile would be handled a second time."""
    orders = numbered(keys=100, each=40)
    frozen = place.start("chained", data_dir="frozen")
    other = place.start("chained", data_dir="other")
    frozen.wait_ready()
    other.wait_ready()
    eventually(lambda: frozen.ready and other.ready, "both have partitions")
    place.feed((key, {**order, "do": "slow", "seconds": 0.001}) for key, order in orders)
    place.wait_written(800)
    frozen.signal(signal.SIGSTOP)
    place.wait_committed()
    readied = frozen.output.count(READY)
    frozen.signal(signal.SIGCONT)
    eventually(lambda: frozen.output.count(READY) > readied or frozen.ended, "it has joined again, or has ended")
    if frozen.ended:  # it wrote behind rows of the other one before it heard that it was given up
        assert "another worker writes to" in frozen.output
        frozen = place.start("chained", data_dir="frozen")
    eventually(lambda: frozen.ready and other.ready, "both have partitions again")
    assert set(place.ids()) == {order["id"] for _, order in orders}
    assert place.in_order()

    assert other.terminate() == 0
    eventually(lambda: frozen.ready, "it has all partitions")
    before = place.written()
    place.feed(orders)
    place.wait_committed()
    assert place.written() == before


@pytest.mark.long
def test_of_two_live_workers_with_one_instance_id_the_newer_one_goes_on_alone(place: Site) -> None:
    """They would evict each other for ever and do everything twice, and supervisors would keep them at it."""

    def start(data_dir: str) -> Worker:
        return place.start("chained", data_dir=data_dir, PIPELINE_INSTANCE_ID="twin")

    def ended(worker: Worker) -> str:
        eventually(lambda: worker.ended, "the older one ends")
        assert worker.wait() == 1
        return next(line for line in reversed(worker.output.splitlines()) if "instance" in line)

    orders = numbered(keys=50, each=20)
    place.feed(orders[:500])
    older = start("first")
    older.wait_ready()
    newer = start("second")
    crashed = orjson.loads(ended(older))
    assert crashed["event"] == "worker_crashed"
    assert crashed["error"].startswith("InstanceFenced('another live worker has the instance id of this one")
    again = start("first")  # as its supervisor does
    assert "another live worker has the instance id" in ended(newer)
    newer = start("second")
    assert "another live worker has the instance id" in ended(again)
    assert "set another PIPELINE_INSTANCE_ID" in ended(start("first"))
    place.feed(orders[500:])
    place.wait_committed()
    assert not newer.ended
    assert set(place.ids()) == {order["id"] for _, order in orders}
    assert place.in_order()
    newer.signal(signal.SIGKILL)
    newer.wait()
    returned = start("second")
    returned.wait_ready()


def test_a_worker_that_has_enough_in_hand_stays_in_its_group(place: Site) -> None:
    """In a long outage each worker would be given up with its work in hand, and all of it be done twice afterwards."""
    idle = 5.0
    until = str(place.path("go"))
    keys = [keys_of(partition, 1)[0] for partition in range(PARTITIONS)]
    orders: list[tuple[str, Order]] = [
        (key, {"id": f"{key}-{number}", "do": "back off", "until": until, "text": "x" * 2_000})
        for number in range(2_000)
        for key in keys
    ]
    place.feed(orders)
    worker = place.ready("chained", APP_OPTIONS=orjson.dumps({"broker_max_poll_interval": idle}).decode())
    eventually(lambda: worker.metric("pipeline_records_in_progress") > 5_000, "its backlog is full")
    time.sleep(2 * idle)  # what must not happen would happen in this time
    assert place.members() == 1
    place.path("go").touch()
    place.wait_committed()
    assert place.written() == len(orders)


def test_a_plain_agent_works_and_ends_the_process_when_it_raises(place: Site) -> None:
    """Faust would acknowledge the event on which an agent failed, start the agent anew, and tell nobody."""
    place.feed([("k", {"id": f"k-{number}"}) for number in range(20)])
    worker = place.ready("agent")
    place.wait_committed()
    place.feed([("k", {"id": "k-20"}), ("k", {"id": "k-21", "do": "poison"}), ("k", {"id": "k-22"})])
    assert worker.wait() == 1
    assert "ValueError" in worker.output
    assert place.ids() == [f"k-{number}" for number in range(21)]
    (position,) = place.committed().values()
    assert position in (20, 21)
