"""Logs that begin past a worker's position, and topics that get other partitions, on a real Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from pipeline.local.kafka import Kafka
from pipeline.runtime.kafka import admin, compacted, installation
from pipeline.topics.catalogue import INSTALLATION
from pipeline.topics.installation import TOPIC, started_record
from tests.integration.installation import delete
from tests.integration.runtime_client import PARTITIONS, Site, copies, keys_of, named, site
from tests.integration.runtime_worker import SEEN, Order
from tests.support.stacks import eventually


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with site(kafka.bootstrap, tmp_path) as made:
        yield made


def gaps(place: Site) -> list[tuple[int, int, int]]:
    """Partition, start and end of each gap's letter."""
    found = place.dead_letters()
    return sorted((each.partition, int(named(each, "gap-start")), int(named(each, "gap-end"))) for each in found)


@pytest.mark.parametrize("program", ["chained", "concurrent"])
def test_what_was_removed_before_it_was_handled_is_a_dead_letter(place: Site, program: str) -> None:
    """Webhooks that were answered 200 would be gone after a long outage, with no lag, no alarm and not a line.

    One partition keeps something, one loses all that waits, one was never read before, and one loses nothing.
    """
    first, second, third, fourth = (keys_of(partition, 1)[0] for partition in range(PARTITIONS))
    place.feed((key, {"id": f"{key}-{number}"}) for key in (first, second, fourth) for number in range(2))
    worker = place.ready(program)
    place.wait_committed()
    assert worker.terminate() == 0
    place.feed((key, {"id": f"{key}-{number}"}) for key in (first, second, third, fourth) for number in range(2, 10))
    place.trim(f"{place.name}.in", {0: 6, 1: 10, 2: 3})

    worker = place.ready(program)
    place.wait_committed()
    assert gaps(place) == [(0, 2, 6), (1, 2, 10), (2, 0, 3)]
    letters = place.dead_letters()
    assert {letter.value for letter in letters} == {b""}
    assert {named(letter, "error-type") for letter in letters} == {"LogGap"}
    assert {named(letter, "origin-topic") for letter in letters} == {f"{place.name}.in"}
    assert worker.metric("pipeline_gap_records_total", topic=f"{place.name}.in") == 4 + 8 + 3
    assert worker.output.count("log_gap_found") == 3
    lost = {f"{key}-{number}" for key, numbers in ((first, range(2, 6)), (second, range(2, 10))) for number in numbers}
    fed = {f"{key}-{number}" for key in (first, second, fourth) for number in range(10)}
    assert set(place.ids()) == (fed - lost) | {f"{third}-{number}" for number in range(5, 10)}

    assert worker.terminate() == 0
    again = place.ready(program)
    place.feed(copies(f"{first}-10"))
    place.wait_committed()
    assert len(place.dead_letters()) == 3, "what was told once is not told again"
    assert "log_gap_found" not in again.output


def test_a_slow_worker_whose_log_is_trimmed_finishes_what_it_has_and_tells_of_the_rest(place: Site) -> None:
    """What retention takes from under a worker that is days behind would vanish between two of its records."""
    (key,), until = keys_of(0, 1), place.path("go")
    size = 8_000
    order: Order = {"do": "back off", "until": str(until), "text": "x" * 2_000}
    place.feed((key, {**order, "id": f"{key}-{number}"}) for number in range(size))
    worker = place.ready("chained")
    eventually(lambda: worker.metric("pipeline_records_in_progress") > 1_000, "its backlog fills")
    place.trim(f"{place.name}.in", {0: size})
    until.touch()
    place.wait_committed()
    ((partition, start, end),) = gaps(place)
    assert (partition, end) == (0, size)
    assert 1_000 < start < size
    assert place.ids() == [f"{key}-{number}" for number in range(start)]


def test_a_gap_waits_for_a_person_where_it_is_told_to(place: Site) -> None:
    """Whoever must account for each message could not look at what was lost before the pipeline goes on."""
    bad, good = keys_of(0, 1)[0], keys_of(1, 1)[0]
    place.feed([(bad, {"id": f"{bad}-{number}"}) for number in range(5)])
    worker = place.ready("chained", PIPELINE_STUCK_AFTER="4")
    place.wait_committed()
    assert worker.terminate() == 0
    place.feed([(bad, {"id": f"{bad}-{number}"}) for number in range(5, 10)])
    place.trim(f"{place.name}.in", {0: 8})

    worker = place.start("chained", PIPELINE_ON_GAP="stop", PIPELINE_STUCK_AFTER="4")
    eventually(lambda: "LogGap" in worker.get("/readyz")[1], "readiness tells of the gap")
    assert worker.get("/readyz")[0] == 503
    place.feed([(good, {"id": f"{good}-0"})])
    eventually(lambda: place.committed() == {0: 5, 1: 1}, "the other partitions go on, and nothing is skipped")
    assert worker.get("/healthz")[0] == 200, "a restart would not help"
    assert place.dead_letters() == []
    worker.terminate()

    place.ready("chained", PIPELINE_ON_GAP="continue")
    place.wait_committed()
    assert gaps(place) == [(0, 5, 8)]
    assert set(place.ids()) == {*(f"{bad}-{number}" for number in (0, 1, 2, 3, 4, 8, 9)), f"{good}-0"}


def test_a_backlog_that_nears_its_retention_is_told(place: Site) -> None:
    """Nobody would hear of records that are removed tomorrow, until they are."""
    source, until = f"{place.name}.in", place.path("go")
    order: Order = {"id": "k-0", "do": "hold", "until": str(until)}
    asyncio.run(_days_ago(place, order, 6))
    worker = place.ready("concurrent", PIPELINE_STUCK_AFTER="4")
    eventually(lambda: worker.metric("pipeline_retention_used_ratio", topic=source) == 0.75, "6 of 7 days are used")
    until.touch()
    eventually(lambda: worker.metric("pipeline_retention_used_ratio", topic=source) == 0.0, "it is done")


async def _days_ago(place: Site, order: Order, days: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=place.bootstrap) as producer:
        at = int((time.time() - days * 86_400) * 1000)
        await producer.send_and_wait(f"{place.name}.in", orjson.dumps(order), b"k", timestamp_ms=at)


def test_a_table_is_recovered_from_where_its_changelog_begins(place: Site) -> None:
    """A worker without its volume would never get ready once a changelog has lost its expired rows."""
    (key,) = keys_of(0, 1)
    orders = copies(*(f"{key}-{number}" for number in range(10)))
    place.feed(orders)
    worker = place.ready("chained", data_dir="one")
    place.wait_committed()
    assert worker.terminate() == 0
    place.trim(f"{place.name}-{SEEN}-changelog", {0: 4})
    worker = place.ready("chained", data_dir="another")
    place.feed(orders)
    place.wait_committed()
    assert place.ids() == [order["id"] for _, order in [*orders, *orders[:4]]], "what is left of the table is known"
    assert worker.metric("pipeline_gap_records_total", topic=f"{place.name}.in") == 0


def test_markers_of_transactions_are_no_gap(place: Site) -> None:
    """Offsets that hold no record are usual on some topics: each would be a false alarm at night."""
    worker = place.ready("concurrent")
    asyncio.run(_in_a_transaction(place, [f"k-{number}" for number in range(3)]))
    place.wait_written(3)
    assert worker.terminate() == 0
    worker = place.ready("concurrent")
    asyncio.run(_in_a_transaction(place, ["k-3"]))
    place.wait_written(4)
    assert worker.metric("pipeline_gap_records_total", topic=f"{place.name}.in") == 0
    assert place.dead_letters() == []


async def _in_a_transaction(place: Site, ids: Iterable[str]) -> None:
    """Feeds orders in a transaction each, which leaves a marker behind each: an offset that nobody gets."""
    producer = AIOKafkaProducer(bootstrap_servers=place.bootstrap, transactional_id=place.name)
    await producer.start()
    try:
        for id_ in ids:
            async with producer.transaction():
                await producer.send_and_wait(f"{place.name}.in", orjson.dumps({"id": id_}), b"k", partition=0)
    finally:
        await producer.stop()


@pytest.fixture
def recorded(place: Site) -> Iterator[None]:
    """A topic for the installation's records."""
    asyncio.run(admin.create(place.bootstrap, [INSTALLATION], 1, 1))
    yield
    asyncio.run(delete(place.bootstrap, [TOPIC]))


@pytest.mark.usefixtures("recorded")
def test_offsets_that_expired_are_told_from_a_first_start(place: Site) -> None:
    """A group that comes back after weeks would do a week of work again, and nobody could say why."""
    source = f"{place.name}.in"
    place.feed([("k", {"id": f"k-{number}"}) for number in range(10)])
    partition = next(iter(place.ends()))
    place.trim(source, {partition: 4})
    worker = place.ready("concurrent")
    place.wait_committed()
    assert "group_started" in worker.output
    assert "committed_offsets_expired" not in worker.output
    assert place.dead_letters() == [], "what was removed before a group's first start was never promised to it"
    eventually(lambda: asyncio.run(installation.read(place.bootstrap)).started, "the start is remembered")
    assert asyncio.run(installation.read(place.bootstrap)).started == {(place.name, source)}


@pytest.mark.usefixtures("recorded")
def test_a_group_that_has_read_before_and_has_no_offsets_says_so(place: Site) -> None:
    """As above: the other one of the two."""
    source = f"{place.name}.in"
    asyncio.run(compacted.write(place.bootstrap, [started_record(place.name, source)]))
    place.feed([("k", {"id": f"k-{number}"}) for number in range(3)])
    worker = place.ready("concurrent")
    place.wait_committed()
    assert "committed_offsets_expired" in worker.output
    assert place.ids() == ["k-0", "k-1", "k-2"]


def test_a_worker_ends_when_a_topic_gets_more_partitions(place: Site) -> None:
    """It would never look at the new ones: records there are answered for and not handled, and all looks well."""
    worker = place.ready("chained", PIPELINE_STUCK_AFTER="4")
    place.raise_partitions(f"{place.name}.in", PARTITIONS + 2)
    eventually(lambda: worker.ended, "it ends")
    assert worker.wait() == 1
    assert f"{place.name}.in has {PARTITIONS + 2} partitions, the installation recorded {PARTITIONS}" in worker.output
    again = place.start("chained")
    eventually(lambda: again.ended, "it does not start")
    assert f"{place.name}.in has {PARTITIONS + 2} partitions" in again.output.splitlines()[-1]
