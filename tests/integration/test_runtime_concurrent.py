"""A flow of one concurrent stage on a real Kafka: lanes that fail, wait or hang beside lanes that do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.local.kafka import Kafka
from pipeline.runtime.flows.in_flight import MAX_UNFINISHED
from tests.integration.runtime_client import Site, copies, keys_of, named, numbered, order_of, site
from tests.support.stacks import eventually

ONE = {"PIPELINE_INSTANCE_ID": "one"}


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with site(kafka.bootstrap, tmp_path) as made:
        yield made


def test_a_stuck_lane_holds_nobody_up_is_not_committed_over_and_comes_again_after_a_kill(place: Site) -> None:
    """One handler that hangs would silence everybody behind it, and its message would be gone after a crash."""
    stuck, *others = keys_of(partition=1, number=20)
    go = str(place.path("go"))
    place.feed([(others[0], {"id": "before"}), (stuck, {"id": "stuck", "do": "hold", "until": go})])
    place.feed((key, {"id": f"{key}-{number}"}) for number in range(20) for key in others)
    worker = place.ready("concurrent", **ONE)
    place.wait_written(1 + 20 * len(others))
    eventually(lambda: place.committed() == {1: 1}, "committed up to the stuck one")
    worker.kill()

    place.path("go").touch()
    place.ready("concurrent", **ONE)
    place.wait_committed()
    assert "stuck" in place.ids()
    assert place.committed() == {1: 2 + 20 * len(others)}


def test_a_partition_with_a_full_window_does_not_hold_up_the_other_partitions(place: Site) -> None:
    """One tenant's service that is away for an hour would stop the messages of all others after the first thousand."""
    stuck, *behind = keys_of(partition=0, number=50)
    place.feed([(stuck, {"id": "stuck", "do": "back off", "until": str(place.path("go"))})])
    place.feed((behind[number % 49], {"id": f"behind {number}"}) for number in range(MAX_UNFINISHED + 500))
    place.ready("concurrent")
    place.wait_written(MAX_UNFINISHED - 1)
    place.feed((key, {"id": f"elsewhere {key}"}) for key in keys_of(partition=2, number=10))
    place.wait_written(MAX_UNFINISHED - 1 + 10)
    place.path("go").touch()
    place.wait_committed()
    assert place.written() == MAX_UNFINISHED + 500 + 1 + 10


def test_what_fails_is_retried_in_order_for_its_lane_or_dead_lettered(place: Site) -> None:
    """A message would be overtaken by the next of its conversation, or a lane would stand still for ever."""
    place.feed(
        [
            ("flaky", {"id": "flaky-0", "do": "fail", "times": 2}),
            ("cancelled", {"id": "cancelled-0", "do": "cancel", "times": 1}),
            ("doomed", {"id": "doomed-0", "do": "cancel", "times": 99}),
            ("hopeless", {"id": "hopeless-0", "do": "fail", "times": 99}),
            ("bad", {"id": "bad-0", "do": "poison"}),
            *numbered(keys=5, each=20),
            *copies("flaky-1", "cancelled-1", "doomed-1", "hopeless-1", "bad-1"),
        ]
    )
    worker = place.ready("concurrent")
    place.wait_committed()
    assert place.in_order()
    attempts = {order_of(record)["id"]: named(record, "attempt") for record in place.outputs()}
    assert len(attempts) == 5 * 20 + 7
    assert (attempts["flaky-0"], attempts["cancelled-0"], attempts["flaky-1"]) == ("2", "1", "0")
    letters = {letter.key: (named(letter, "error-type"), named(letter, "attempts")) for letter in place.dead_letters()}
    assert letters == {
        b"doomed": ("RuntimeError", "3"),
        b"hopeless": ("RuntimeError", "3"),
        b"bad": ("InvalidRecord", "1"),
    }
    assert worker.metric("pipeline_records_in_progress") == 0
    assert worker.terminate() == 0, "nothing may be left in progress"


def test_a_stop_finishes_what_is_worked_on_and_leaves_what_waits_to_the_next(place: Site) -> None:
    """A deployment would cut replies off half way, or wait for a service that is away."""
    go, never = str(place.path("go")), str(place.path("never"))
    began = place.path("began")
    place.feed(
        [
            ("working", {"id": "working", "do": "hold", "until": go, "began": str(began)}),
            ("backing off", {"id": "backing off", "do": "back off", "until": never}),
            ("waiting", {"id": "waiting", "do": "wait", "until": never}),
        ]
    )
    worker = place.ready("concurrent", **ONE)
    eventually(began.exists, "the stage began")
    worker.signal(15)  # type: ignore[arg-type]
    worker.wait_for("worker_stopping")
    place.path("go").touch()
    assert worker.wait() == 0
    assert place.ids() == ["working"]

    place.path("never").touch()
    place.ready("concurrent", **ONE)
    place.wait_committed()
    assert set(place.ids()) == {"working", "backing off", "waiting"}
