"""deduplicate: each event once, however often it is delivered and whenever the process dies."""

from __future__ import annotations

import pytest

from pipeline.agents.deduplicate import deduplicate
from pipeline.testing import TopologyTestDriver
from pipeline.topics.catalogue import SEEN
from tests.stage.pieces import PACK, UNPACK, carrying, event, values


@pytest.fixture
def driver() -> TopologyTestDriver:
    return TopologyTestDriver(UNPACK, deduplicate(), PACK, tables=[SEEN])


def test_a_duplicate_in_the_same_batch_is_dropped(driver: TopologyTestDriver) -> None:
    """Two deliveries that arrive together would both be answered."""
    twice = carrying(event(1), event(2), event(1))
    assert values(driver.pipe(twice, carrying(event(2), offset=1))) == [b"e-1", b"e-2"]


def test_a_duplicate_in_a_later_batch_is_dropped(driver: TopologyTestDriver) -> None:
    """A retry of the platform would be answered again."""
    driver.pipe(carrying(event(1)))
    assert values(driver.pipe(carrying(event(1), event(2), offset=1))) == [b"e-2"]


def test_a_duplicate_after_a_restart_is_dropped(driver: TopologyTestDriver) -> None:
    """Every deployment would open the door for a second answer."""
    driver.pipe(carrying(event(1)))
    driver.restart()
    assert driver.pipe(carrying(event(1), offset=1)) == []


def test_what_was_forwarded_and_not_remembered_is_forwarded_again_with_its_id(driver: TopologyTestDriver) -> None:
    """A crash would lose the event, or hand it on as a new one that the handlers do not know."""
    assert values(driver.pipe(carrying(event(1)), crash_before_mark=True)) == [b"e-1"]
    assert values(driver.pipe(carrying(event(1)))) == [b"e-1"]
    assert driver.pipe(carrying(event(1), offset=1)) == []


def test_it_remembers_where_an_event_was_seen_first(driver: TopologyTestDriver) -> None:
    """Nobody could tell a duplicate from a record that was merely read again."""
    driver.pipe(carrying(event(1), offset=41), carrying(event(1), offset=42))
    assert driver.rows(SEEN) == {b"e-1": b"0:41"}


def test_each_partition_remembers_its_own(driver: TopologyTestDriver) -> None:
    """A worker would drop events because of what another conversation's partition has seen."""
    driver.pipe(carrying(event(1)))
    assert (driver.rows(SEEN, 0), driver.rows(SEEN, 1)) == ({b"e-1": b"0:0"}, {})
