"""Records that end or block their process, on a real Kafka: they become dead letters, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.local.kafka import Kafka
from tests.integration.runtime_client import Site, Worker, keys_of, named, order_of, site
from tests.integration.runtime_worker import Order
from tests.support.stacks import eventually

ONE = {"PIPELINE_INSTANCE_ID": "one"}
MOST_DEATHS = 10


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with site(kafka.bootstrap, tmp_path) as made:
        yield made


def _restarted_until_done(place: Site, program: str, **env: str) -> int:
    """Starts a worker again and again, as a supervisor does, until all is committed; gives the number of its deaths."""
    for deaths in range(MOST_DEATHS):
        worker = place.start(program, **ONE, **env)
        eventually(lambda: worker.ended or _all_is_done(place, worker), "its death, or the end")  # noqa: B023
        if not worker.ended:
            return deaths
    raise AssertionError(worker.output)


def _all_is_done(place: Site, worker: Worker) -> bool:
    return worker.ready and place.committed() == place.ends()


@pytest.mark.parametrize(
    ("program", "do", "last_word"),
    [("chained", "abort", "record_runs_alone"), ("concurrent", "spin", "event_loop_blocked")],
)
def test_a_record_that_ends_or_blocks_its_process_becomes_a_dead_letter_and_nothing_else_does(
    place: Site, program: str, do: str, last_word: str
) -> None:
    """Its lane would be down for ever, and `pipeline up` give up, for one message that crashes the handler."""
    orders: list[tuple[str, Order]] = [
        (key, {"id": f"{key}-{number}"}) for number in range(5) for part in range(4) for key in keys_of(part, 2)
    ]
    orders[21:21] = [(orders[3][0], {"id": "killer", "do": do})]
    place.feed(orders)
    deaths = _restarted_until_done(place, program, PIPELINE_BLOCKED_AFTER="3")
    (letter,) = place.dead_letters()
    assert order_of(letter)["id"] == "killer"
    assert (named(letter, "error-type"), named(letter, "attempts")) == ("WorkerDied", "3")
    assert set(place.ids()) == {order["id"] for _, order in orders} - {"killer"}
    assert deaths <= MOST_DEATHS
    assert last_word in place.workers[-2].output
