"""Watermarks of groups, partition by partition. `tests/integration/test_watermark.py` asks a real broker."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.agents.topology import _status_watermark
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.runtime.kafka.watermark import STALLED_TIMEOUT, GroupTopic, PartitionWatermark, PipelineWatermark
from pipeline.topics.commands import Command, CommandKind

PARTITIONS = 3
Positions = list[tuple[int, int]]
PASSED: Positions = [(5, 5)] * PARTITIONS


class Group(PipelineWatermark):
    """Looks when a test says so, at positions (end, committed) that it says."""

    def __init__(self) -> None:
        super().__init__("nowhere", (GroupTopic("intake", "raw"), GroupTopic("messenger", "receipts")), PARTITIONS)
        self.raw, self.receipts = list(PASSED), list(PASSED)

    async def _look(self) -> None:
        """Nobody is asked."""

    async def _positions(self, hop: GroupTopic, *_: object) -> Positions:
        return self.raw if hop.topic == "raw" else self.receipts

    def watermark(self, first: int = 0, second: int = 0) -> float:
        """What is watermark after one more look."""

        async def run() -> float:
            await self._poll_once(cast(Any, None), cast(Any, None))
            return self.value(first, second)

        return asyncio.run(run())


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        clocks = SimpleNamespace(time=lambda: self.now, monotonic=lambda: self.now)
        monkeypatch.setattr("pipeline.runtime.kafka.watermark.time", clocks)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def test_what_was_there_has_been_watermark_when_both_hops_have_passed(clock: Time) -> None:
    """A send in doubt would wait for ever, or be decided while its status waits in a backlog."""
    group = Group()
    assert group.watermark() == 1_000
    clock.now += 10
    group.raw[1] = (9, 5)
    assert group.watermark() == 1_000, "a status may come on any partition that moves"
    clock.now += 10
    group.raw[1] = (20, 9)
    assert group.watermark() == 1_010, "up to where it was when it was first looked at"


def test_another_partition_that_stands_still_is_not_waited_for_for_ever(clock: Time) -> None:
    """One conversation whose webhook kills its worker would keep every send in doubt waiting."""
    group = Group()
    group.watermark()
    group.raw[1] = (9, 5)
    group.watermark()
    clock.now += STALLED_TIMEOUT + 1
    assert group.watermark(first=0) == clock.now
    assert group.watermark(first=1) == 1_000, "where the status itself comes it is waited for"


def test_a_partition_that_still_moves_is_waited_for_however_long_it_takes(clock: Time) -> None:
    """A long backlog would make every send in doubt on it a double."""
    group = Group()
    group.watermark()
    group.raw[1] = (9_000, 5)
    for committed in range(6, 20):
        clock.now += STALLED_TIMEOUT / 2
        group.raw[1] = (9_000, committed)
        assert group.watermark(first=0) == 1_000


def test_an_outage_in_which_nobody_could_look_is_no_standstill(clock: Time) -> None:
    """When the broker is back every backlog would look as if it stood still, and what waits in it be doubled."""
    passing = PartitionWatermark()
    passing.observe(1_000, 5, 3, 1_000)
    passing.resume(1_000 + STALLED_TIMEOUT * 2)
    passing.observe(1_700, 9, 3, 1_000 + STALLED_TIMEOUT * 2)
    assert not passing.is_stalled(1_000 + STALLED_TIMEOUT * 2)


def test_only_the_accounts_own_receipts_are_waited_for(clock: Time) -> None:
    """A backlog of one number's receipts would hold up the sends in doubt of all others."""
    group = Group()
    group.receipts[2] = (9, 5)
    assert group.watermark(second=0) == 1_000
    assert group.watermark(second=2) == 0


def test_a_status_is_expected_where_its_recipients_webhooks_come() -> None:
    """The wrong partition would be waited for: a double, or a wait without an end."""
    asked: list[tuple[int, int]] = []

    class Asked(PipelineWatermark):
        def value(self, first: int, second: int) -> float:
            asked.append((first, second))
            return 7.0

    command = Command(
        command_id="cmd-1",
        tenant_id="acme",
        provider="cloud",
        account="106540352242922",
        recipient="+1 (555) 000-1111",
        kind=CommandKind.TEXT,
        created_at=datetime.now(UTC),
    )
    until = _status_watermark(Asked("nowhere", (GroupTopic("a", "b"), GroupTopic("c", "d")), 48), 48)
    assert until(command) == 7.0
    conversation, account = b"cloud:106540352242922:15550001111", b"cloud:106540352242922"
    assert asked == [(partition_of(conversation, 48), partition_of(account, 48))]
