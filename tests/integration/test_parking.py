"""Parked records on a real Kafka: order and count, through kills, a lost volume, and partitions that move."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.local.kafka import Kafka
from pipeline.runtime.flows.in_flight import MAX_UNFINISHED
from pipeline.runtime.quarantine.parked_gate import FIRST_ALONE
from pipeline.runtime.quarantine.suspects import DEATHS, LIVES
from tests.integration.runtime_client import Site, keys_of, named, order_of, site
from tests.integration.runtime_worker import Order
from tests.support.stacks import eventually

ONE = {"PIPELINE_INSTANCE_ID": "one"}
TWO = {"PIPELINE_INSTANCE_ID": "two"}
HOT = 2_500
KILLER = 600
"""Number of the record that ends its process: it is in no window at first."""


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with site(kafka.bootstrap, tmp_path) as made:
        yield made


@pytest.mark.long
def test_a_hot_key_does_not_delay_others_and_is_complete_in_order_after_a_kill(place: Site) -> None:
    """A customer would wait two minutes for somebody else's 2,500 messages, or those would be lost in a crash."""
    hot, light = keys_of(partition=1, number=2)
    place.feed((hot, {"id": f"{hot}-{number}", "do": "nap", "seconds": 0.01}) for number in range(HOT))
    place.feed([(light, {"id": f"{light}-0"})])
    worker = place.ready("turns", **ONE)
    eventually(lambda: f"{light}-0" in place.ids(), "the light key's answer")
    assert len(place.ids()) < HOT // 2, "the others wait for a hot key"
    place.wait_committed()
    assert place.written() < HOT + 1, "everything left the window before it was done"
    worker.kill()

    place.ready("turns", **ONE)
    eventually(lambda: len(set(place.ids())) == HOT + 1, "the parked ones")
    assert place.in_order()


@pytest.mark.parametrize("change", ["a kill", "a lost volume", "another worker"])
def test_keys_that_wait_let_others_pass_and_come_back_in_order(place: Site, change: str) -> None:
    """A thousand accounts that are away would silence a healthy one, and their messages would not survive the wait."""
    healthy, *away = keys_of(partition=2, number=MAX_UNFINISHED + 100)
    go = str(place.path("go"))
    for number in range(2):
        place.feed((key, {"id": f"{key}-{number}", "do": "back off", "until": go}) for key in away)
    place.feed([(healthy, {"id": f"{healthy}-0"})])
    worker = place.ready("turns", **ONE)
    eventually(lambda: place.ids() == [f"{healthy}-0"], "the healthy key's answer")
    eventually(lambda: place.committed().get(2, 0) > MAX_UNFINISHED, "offsets that go on")
    match change:
        case "a kill":
            worker.kill()
        case "a lost volume":
            worker.kill()
            shutil.rmtree(place.directory / "data")
        case "another worker":
            place.ready("turns", data_dir="other", **TWO)
            worker.terminate()
    place.path("go").touch()
    if change != "another worker":
        place.ready("turns", **ONE)
    eventually(lambda: len(set(place.ids())) == 1 + 2 * len(away), "all that waited")
    assert place.in_order()
    # The healthy key's record was finished behind unfinished ones, so it may be delivered again.
    waited = [id_ for id_ in place.ids() if not id_.startswith(f"{healthy}-")]
    assert len(waited) == len(set(waited))


def test_a_group_that_fails_does_not_stop_the_others(place: Site) -> None:
    """One tenant whose hook raises would stop every tenant of its lane until somebody corrects it."""
    cause = str(place.path("mended"))
    bad = [(f"bad.k{number % 200}", number // 200) for number in range(3_000)]
    good = [(f"good.k{number % 20}", number // 20) for number in range(500)]
    place.feed((key, {"id": f"{key}-{number}", "do": "break", "until": cause}) for key, number in bad)
    place.feed((key, {"id": f"{key}-{number}"}) for key, number in good)
    worker = place.ready("turns", PIPELINE_FAILURE_RUN="10", **ONE)
    eventually(lambda: len(set(place.ids())) == len(good), "the other group's records")
    assert worker.ready
    assert place.dead_letters() == []
    place.path("mended").touch()
    eventually(lambda: len(set(place.ids())) == len(good) + len(bad), "the records of the group that failed")
    assert place.in_order()
    assert place.dead_letters() == []
    assert "circuit_breaker_opened" in worker.output


@pytest.mark.long
@pytest.mark.parametrize("name", [ONE, {}], ids=["a worker that knows of which record it died", "one that does not"])
def test_a_parked_record_that_ends_its_process_becomes_a_dead_letter(place: Site, name: dict[str, str]) -> None:
    """Its worker would die in every life for ever: the record's offset is committed, so nobody would look there."""
    hot, light = keys_of(partition=1, number=2)
    go = str(place.path("go"))
    orders: list[tuple[str, Order]] = [(hot, {"id": f"{hot}-{n}", "do": "back off", "until": go}) for n in range(HOT)]
    orders[KILLER] = (hot, {"id": f"{hot}-{KILLER}", "do": "abort", "until": go})
    place.feed([*orders, (light, {"id": f"{light}-0"})])
    worker = place.ready("turns", **name)
    eventually(lambda: place.ids() == [f"{light}-0"], "the light key's answer")
    eventually(lambda: place.committed().get(1, 0) > KILLER, "the offset of the killer")
    worker.terminate()

    place.path("go").touch()
    deaths = _restarted_until(place, HOT, name)
    (letter,) = place.dead_letters()
    assert (order_of(letter)["id"], named(letter, "error-type")) == (f"{hot}-{KILLER}", "WorkerDied")
    assert set(place.ids()) == {order["id"] for _, order in orders if order["do"] != "abort"} | {f"{light}-0"}
    assert place.in_order()
    doublings = math.ceil(math.log2(KILLER / FIRST_ALONE))
    assert deaths <= (1 if name else LIVES + doublings) + DEATHS


def _restarted_until(place: Site, done: int, name: dict[str, str]) -> int:
    """Start a worker again and again, as a supervisor does, until all is done. Return the number of its deaths."""
    for deaths in range(20):
        worker = place.start("turns", **name)
        eventually(lambda: worker.ended or len(set(place.ids())) == done, "its death, or the end")  # noqa: B023
        if not worker.ended:
            return deaths
    raise AssertionError(worker.output)
