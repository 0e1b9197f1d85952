"""Positions that are not on the log: the order of what is done about them, where a real broker would need luck."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.types import TP

from pipeline.errors import LogGap, LogTruncated
from pipeline.metrics import GAP_RECORDS
from pipeline.runtime.faust.consumer import Consumer
from pipeline.runtime.faust.gap_dead_letters import gap_dead_letter
from pipeline.runtime.faust.gaps import GapPolicy, OffLogPositions, RemovedRange
from pipeline.runtime.process.liveness import Liveness
from pipeline.testing import TestRecord
from pipeline.topics import dead_letters
from tests.support.waiting import HANG

TP0, TABLE = TP("in", 0), TP("changelog", 0)


class World:
    """Stands for a group, its broker and its app; everything that is done is a step.

    Args:
        log: where each log begins and ends.
    """

    def __init__(
        self, committed: int | None, read: int | None, log: Mapping[TP, tuple[int, int]], stop: bool = False
    ) -> None:
        self.steps: list[object] = []
        self.log = dict(log)
        self.away = 0
        self.moves = False
        self.known: set[str] = set()
        self.crashed: list[Exception] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.consumer = self._consumer(committed, read)
        self.gaps = self.consumer.off_log = OffLogPositions(self.consumer)
        self.gaps.policy = GapPolicy("g", stop, self._bury, self.known.__contains__, self._remember)

    def _consumer(self, committed: int | None, read: int | None) -> Any:
        consumer: Any = object.__new__(Consumer)
        consumer.app = SimpleNamespace(crash=self._crash)
        consumer.buffers = {"in": None}
        consumer.epoch, consumer.liveness, consumer._processed = 1, Liveness(), {}
        consumer._committed_offset = defaultdict(lambda: None, {TP0: committed})
        consumer._read_offset = defaultdict(lambda: None, {TP0: read})
        consumer._delivered = {}
        consumer.quarantine = SimpleNamespace(restart=lambda tp, at: self.steps.append(("restart", tp, at)))
        consumer._is_changelog_tp = lambda tp: tp == TABLE
        consumer.assignment = lambda: {TP0, TABLE}
        consumer.earliest_offsets, consumer.highwaters = self._ask(0), self._ask(1)
        consumer.seek_wait = self._seek
        consumer.add_future = lambda work: self.tasks.add(asyncio.ensure_future(work))
        return consumer

    def _ask(self, side: int) -> Callable[..., Coroutine[Any, Any, dict[TP, int]]]:
        async def ask(*tps: TP) -> dict[TP, int]:
            await asyncio.sleep(0)
            if self.away:
                self.away -= 1
                raise KafkaError("away")
            return {tp: self.log[tp][side] for tp in tps}

        return ask

    async def _bury(self, gap: RemovedRange) -> None:
        await asyncio.sleep(0)
        self.steps.append(("letter", gap.start, gap.end))
        self.consumer.epoch += self.moves

    async def _seek(self, offsets: Mapping[TP, int]) -> None:
        self.steps += [("seek", tp.topic, offset) for tp, offset in offsets.items()]
        self.consumer._read_offset.update({tp: offset or None for tp, offset in offsets.items()})

    async def _remember(self, topic: str) -> None:
        self.known.add(topic)

    async def _crash(self, error: Exception) -> None:
        self.crashed.append(error)

    async def find(self, error: KafkaError) -> None:
        self.gaps.handle(error)
        self.gaps.handle(error)  # the client says it again and again
        await asyncio.gather(*self.tasks)

    @property
    def position(self) -> int | None:
        """What would be committed."""
        found: int | None = self.consumer._processed.get(TP0)
        return found


def off(position: int, tp: TP = TP0) -> KafkaError:
    return OffsetOutOfRangeError({tp: position})


def test_a_gap_is_told_before_anything_goes_past_it() -> None:
    """Whoever dies in between would have skipped records, and nobody would ever know."""
    world = World(committed=10, read=10, log={TP0: (40, 50)})
    asyncio.run(world.find(off(10)))
    assert world.steps == [("letter", 10, 40), ("seek", "in", 40)]
    assert world.position == 40
    assert not world.gaps.unresolved


def test_what_is_in_hand_is_finished_before_the_position_goes_past_a_gap() -> None:
    """Records that were fetched in time would be committed over, and be lost with the worker that has them."""
    world = World(committed=5, read=10, log={TP0: (40, 50)})
    asyncio.run(world.find(off(10)))
    assert world.steps == [("letter", 10, 40), ("seek", "in", 40)]
    assert world.position == 5
    world.consumer.mark_processed(TP0, 9, 1)
    assert world.position == 9
    world.consumer.mark_processed(TP0, 10, 1)
    assert world.position == 40
    world.consumer.mark_processed(TP0, 43, 1)
    assert world.position == 43


def test_a_gap_that_was_being_told_when_partitions_moved_moves_nothing() -> None:
    """The position that the next owner reads from would be changed by one that has given it away."""
    world = World(committed=10, read=10, log={TP0: (40, 50)})
    world.moves = True
    asyncio.run(world.find(off(10)))
    assert world.steps == [("letter", 10, 40)]
    assert world.position is None


def test_with_stop_nothing_is_told_and_nothing_moves() -> None:
    """An operator who asked to be waited for would find the gap passed."""
    world = World(committed=10, read=10, log={TP0: (40, 50)}, stop=True)
    asyncio.run(world.find(off(10)))
    assert (world.steps, world.position, world.gaps.unresolved) == ([], None, {TP0})
    assert str(world.gaps.awaiting_operator[TP0]) == "offsets 10 to 39 of in/0 were removed before they were processed"


def test_a_broker_that_is_away_is_asked_until_it_answers(monkeypatch: Any) -> None:
    """A restart of the broker in this moment would leave a partition unread for good."""
    monkeypatch.setattr("pipeline.runtime.faust.gaps.RETRY_INTERVAL", 0.0)
    world = World(committed=10, read=10, log={TP0: (40, 50)})
    world.away = 3
    asyncio.run(world.find(off(10)))
    assert world.position == 40


def test_a_log_that_was_made_anew_is_read_from_its_start() -> None:
    """Everything below the old position would be taken for finished, and skipped without a word."""
    world = World(committed=10, read=10, log={TP0: (0, 4)})
    asyncio.run(world.find(off(10)))
    assert world.steps == [("restart", TP0, 0), ("seek", "in", 0)]
    assert world.consumer._should_commit(TP0, 3), "positions may be committed that are lower than the old one"
    assert not world.crashed


def test_a_log_that_was_cut_under_a_worker_ends_it() -> None:
    """Offsets in hand and offsets on the log would mean different records."""
    world = World(committed=5, read=10, log={TP0: (0, 4)})
    asyncio.run(world.find(off(10)))
    assert world.steps == []
    assert [type(error) for error in world.crashed] == [LogTruncated]


def test_a_plain_agent_goes_on_where_its_log_begins() -> None:
    """It has no dead letters: it would stand still for good, or its own acknowledgements be overwritten."""
    world = World(committed=10, read=10, log={TP0: (40, 50)}, stop=True)
    world.consumer.buffers = {}
    asyncio.run(world.find(off(10)))
    assert (world.steps, world.position) == ([("seek", "in", 40)], None)
    assert GAP_RECORDS.labels("g", "in")._value.get() >= 30


def test_a_changelog_is_read_from_where_it_begins() -> None:
    """A table whose changelog has lost its expired rows could not be recovered, or each start would be an alarm."""
    world = World(committed=10, read=10, log={TABLE: (40, 50)})
    asyncio.run(world.find(off(39, TABLE)))
    assert world.steps == [("seek", "changelog", 40)]


def test_a_group_without_offsets_begins_at_the_earliest_and_has_a_position_from_then_on() -> None:
    """What is removed before its first record is finished would be skipped in silence: no position would miss it."""
    world = World(committed=None, read=None, log={TP0: (7, 50)})
    asyncio.run(world.gaps.start_new_partitions())
    assert world.steps == [("seek", "in", 7)]
    assert world.position == 7
    late = World(committed=None, read=None, log={TP0: (7, 50)})
    asyncio.run(late.find(NoOffsetForPartitionError(TP0)))
    assert (late.position, late.gaps.unresolved) == (7, set())


def test_a_partition_that_never_had_a_record_has_not_lost_its_offset(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever upgrades an installation that remembers no starts would read that offsets have expired."""
    fresh = TP("in", 1)
    world = World(committed=7, read=7, log={TP0: (0, 50), fresh: (0, 0)})
    world.consumer.assignment = lambda: {TP0, fresh}

    async def body() -> None:
        await world.gaps.start_new_partitions()
        for task in world.tasks:
            task.cancel()
        await asyncio.wait(world.tasks)

    asyncio.run(body())
    assert "committed_offsets_expired" not in caplog.text
    assert world.position is None
    assert world.consumer._processed == {fresh: 0}


def test_a_start_is_remembered_when_it_is_committed_and_not_before() -> None:
    """A crash in the first second would look like offsets that have expired, and frighten somebody."""
    world = World(committed=None, read=None, log={TP0: (0, 50)})

    async def body() -> None:
        await world.gaps.start_new_partitions()
        await asyncio.sleep(0)
        assert world.known == set()
        world.consumer._committed_offset[TP0] = 0
        await world.gaps._record_start_when_committed([TP0], 1)
        await asyncio.gather(*(task for task in world.tasks if task is not None))

    asyncio.run(asyncio.wait_for(body(), HANG))
    assert world.known == {"in"}


def test_the_letter_of_a_gap_has_its_range_and_no_bytes() -> None:
    """Nobody could tell from the dead letters what is missing, or a redrive would publish an empty record."""
    record, lost = gap_dead_letter(RemovedRange(TP("webhooks.raw", 3), 10, 40), "parse")
    assert (record.topic, record.key, record.value) == ("dead-letters.parse", b"", b"")
    assert (lost.partition, lost.offset) == (3, 10)
    letter = dead_letters.parse_dead_letter(
        TestRecord(record.value, record.key, tuple(record.headers), record.topic, 3, 0)
    )
    assert isinstance(letter, dead_letters.DeadLetter)
    assert letter.gap == (10, 40)
    assert letter.error_type == LogGap.__name__ == dead_letters.GAP
    assert (letter.origin_topic, letter.origin_partition, letter.origin_offset) == ("webhooks.raw", 3, 10)
