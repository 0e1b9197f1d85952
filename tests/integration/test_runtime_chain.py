"""Flows of quick stages on a real Kafka, in worker processes that are restarted, killed and refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.local.kafka import Kafka
from pipeline.topics.records import Record
from tests.integration.runtime_client import Site, copies, named, numbered, order_of, site
from tests.support.stacks import eventually

ONE = {"PIPELINE_INSTANCE_ID": "one"}
"""A static member: whoever follows a killed worker under this id need not wait for its session to end."""


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with site(kafka.bootstrap, tmp_path) as made:
        yield made


def test_a_duplicate_is_dropped_at_once_and_after_a_restart_with_or_without_the_kept_table(place: Site) -> None:
    """A webhook that is delivered again after a deployment, or on a new disk, would be answered twice."""
    orders = numbered(keys=25, each=20)
    place.feed([*orders, *orders[:100]])
    first = place.ready("chained")
    place.wait_committed()
    assert sorted(place.ids()) == sorted(order["id"] for _, order in orders)
    assert place.in_order()
    assert first.terminate() == 0

    for data_dir, reads_changelog in (("data", False), ("lost", True)):
        worker = place.ready("chained", data_dir=data_dir)
        place.feed(orders)
        place.wait_committed()
        assert place.written() == len(orders)
        assert ("Restoring state from changelog" in worker.output) is reads_changelog
        assert worker.terminate() == 0


def test_nothing_is_lost_or_reordered_by_a_worker_killed_in_the_middle_of_its_load(place: Site) -> None:
    """A node that loses power would take customers' messages with it."""
    orders = numbered(keys=100, each=300)
    place.feed(orders)
    for step in (2_000, 12_000):
        worker = place.start("chained", **ONE)
        place.wait_written(step)
        worker.kill()
    place.ready("chained", **ONE)
    place.wait_committed()
    ids = place.ids()
    assert set(ids) == {order["id"] for _, order in orders}
    assert place.in_order()
    assert len(ids) - len(set(ids)) <= 2 * 5_000, "only what was published and not yet remembered may come again"


def test_what_fails_is_retried_in_order_for_its_key_or_dead_lettered_and_the_rest_goes_on(place: Site) -> None:
    """One person's unreadable message would hold up everybody, vanish, or be overtaken by the next one."""
    headers = [("webhook-id", b"w-1"), ("tenant", b"acme"), ("nothing", None)]
    bad = Record(f"{place.name}.in", b"bad", b'{"id": "bad-0", "do": "poison"}', headers)  # type: ignore[arg-type]
    place.feed(
        [
            ("flaky", {"id": "flaky-0", "do": "fail", "times": 2}),
            ("hopeless", {"id": "hopeless-0", "do": "fail", "times": 99}),
            ("big", {"id": "big-0", "size": 5_000_000}),
            *copies("flaky-1", "hopeless-1", "big-1", "bad-1", "other-1"),
        ],
        raw=[bad, bad._replace(key=b"torn", value=b'{"id": "torn-')],
    )
    worker = place.ready("chained")
    place.wait_committed()
    assert not worker.ended, worker.output
    assert set(place.ids()) == {"flaky-0", "flaky-1", "hopeless-1", "big-1", "bad-1", "other-1"}
    assert place.in_order()

    letters = {letter.key: letter for letter in place.dead_letters()}
    assert {key: named(letter, "error-type") for key, letter in letters.items()} == {
        b"bad": "InvalidRecord",
        b"torn": "JSONDecodeError",
        b"big": "OversizeRecord",
        b"hopeless": "RuntimeError",
    }
    letter = letters[b"bad"]
    assert letter.value == bad.value
    assert letter.headers[:3] == tuple(headers)
    told = ("error-message", "stage", "attempts", "origin-topic", "origin-partition", "origin-offset")
    assert [named(letter, name) for name in told[:4]] == ["poison", place.name, "1", f"{place.name}.in"]
    origin = int(named(letter, "origin-partition")), int(named(letter, "origin-offset"))
    assert origin[1] < place.ends()[origin[0]]
    assert named(letters[b"hopeless"], "attempts") == "3"


def test_what_the_broker_refuses_for_its_size_is_a_dead_letter_and_all_else_goes_on_in_order(place: Site) -> None:
    """One large output would end the worker again and again, or take the rest of its batch along."""
    large = ("k3-50", "k3-51", "k7-199")
    orders = numbered(keys=10, each=200)
    place.configure(f"{place.name}.out", max_message_bytes="6000")
    place.feed((key, {**order, "text": "x" * 9_000} if order["id"] in large else order) for key, order in orders)
    worker = place.ready("chained")
    place.wait_committed()
    assert sorted(place.ids()) == sorted(order["id"] for _, order in orders if order["id"] not in large)
    assert place.in_order()
    letters = place.dead_letters()
    assert {order_of(letter)["id"] for letter in letters} == set(large)
    assert {(named(letter, "error-type"), named(letter, "stage")) for letter in letters} == {
        ("OversizeRecord", place.name)
    }
    assert not worker.ended, worker.output

    place.configure(f"{place.name}.out", max_message_bytes="20000")
    place.feed((key, {**order, "text": "x" * 9_000}) for key, order in orders if order["id"] in large)
    place.wait_committed()
    assert set(place.ids()) >= set(large), "what a refused output was made of is not remembered as seen"


def test_a_limit_that_is_lowered_under_a_worker_ends_it_once(place: Site) -> None:
    """The dead letter of what is too large from then on would be empty, or its worker end again and again."""
    place.feed(copies("k-0"))
    worker = place.ready("chained")
    place.wait_committed()
    place.configure(f"{place.name}.out", max_message_bytes="6000")
    place.feed([("k", {"id": "k-1", "text": "x" * 9_000}), ("k", {"id": "k-2"})])
    worker.wait_for("its limit was lowered meanwhile")
    eventually(lambda: worker.ended, "the worker ends")
    place.ready("chained")
    place.wait_committed()
    assert [order_of(letter)["id"] for letter in place.dead_letters()] == ["k-1"]
    assert set(place.ids()) == {"k-0", "k-2"}


def test_a_dead_letter_that_its_topic_refuses_waits_for_room_and_readiness_says_so(place: Site) -> None:
    """The bytes of a message would be lost, or its worker end for ever, because a topic's limit was lowered."""
    letters = f"dead-letters.{place.name}"
    place.configure(letters, max_message_bytes="6000")
    place.feed([("k", {"id": "k-0", "do": "poison", "text": "x" * 9_000}), ("k", {"id": "k-1"})])
    worker = place.start("chained")
    worker.wait_for("dead_letter_topic_too_small")
    eventually(lambda: letters in worker.get("/readyz")[1], "readiness names the topic")
    assert place.committed() == {}
    place.configure(letters, max_message_bytes="20000")
    place.wait_committed()
    assert [order_of(letter)["id"] for letter in place.dead_letters()] == ["k-0"]
    assert place.ids() == ["k-1"]
    eventually(lambda: worker.ready, "it is ready again")


def test_a_partition_that_was_never_committed_is_read_from_its_start(place: Site) -> None:
    """What arrives while positions are being set would be skipped, and lost as soon as what follows is committed."""
    orders = numbered(keys=100, each=400)
    place.feed(orders, raw=[Record(f"{place.name}-seen-changelog", b"an-old-id", b"1")])
    place.ready("slow", SLOW_SEEK="1.2")
    place.wait_committed()
    assert set(place.ids()) == {order["id"] for _, order in orders}


@pytest.mark.parametrize("topic", ["{}.in", "dead-letters.{}", "{}-seen-changelog"])
def test_a_missing_topic_is_told_in_one_line(kafka: Kafka, tmp_path: Path, topic: str) -> None:
    """A worker without its topics would call itself ready and do nothing."""
    place = Site(kafka.bootstrap, f"missing-{topic.format('')}", tmp_path)
    missing = topic.format(place.name)
    place.create(without=missing)
    worker = place.start("chained")
    try:
        assert worker.wait() == 1
    finally:
        place.stop()
    assert worker.output.splitlines()[-1] == f"pipeline: Kafka has no topic {missing}: run `pipeline topics create`"


def test_two_hundred_thousand_waiting_records_stay_in_kafka(place: Site) -> None:
    """A worker that comes back after an outage would be killed for its memory, again and again."""
    text = "x" * 600
    place.feed((f"k{number % 500}", {"id": f"{number}", "text": text}) for number in range(200_000))
    worker = place.ready("chained")
    memory: list[float] = []
    place.wait_written(200_000, meanwhile=lambda: memory.append(worker.rss))
    assert max(memory) < 400
