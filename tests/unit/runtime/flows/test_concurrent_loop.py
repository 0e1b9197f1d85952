"""The loop of a concurrent stage when partitions move, in races that a real group does not show on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

import pytest
from faust.types import TP

from pipeline.backoff import RetryPolicy
from pipeline.errors import BackendUnavailable, NewerRecord, PermanentError, RetryAfter, Unavailable
from pipeline.logging import add_place
from pipeline.runtime.flows.breaker import OFF, Breaker, BreakerConfig
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.stage import ConcurrentContext, ConcurrentStage
from pipeline.runtime.process.lease import MembershipLease
from pipeline.runtime.process.liveness import Liveness, PartitionPosition
from pipeline.testing.own_time import OwnTime
from pipeline.topics.records import Record
from tests.support.loop_stand_ins import TP0, FakeApp, record, until
from tests.support.waiting import HANG

Function = Callable[[Any, ConcurrentContext], Coroutine[Any, Any, Iterable[Record]]]
Play = Callable[[FakeApp, ConcurrentLoop], Coroutine[Any, Any, None]]


def _play(
    function: Function,
    play: Play,
    *,
    concurrency: int = 10,
    lane: Any = lambda record: record.key,
    on_give_up: Any = None,
    decode: Any = lambda record: record,
    breaker: BreakerConfig = OFF,
    retries: RetryPolicy | None = None,
) -> None:
    async def run() -> None:
        app = FakeApp(retries=retries)
        stage = ConcurrentStage("slow", function, decode, lane, concurrency, on_give_up)
        loop = app.concurrent(stage, Breaker(breaker))
        running = asyncio.ensure_future(loop.run())
        try:
            async with asyncio.timeout(HANG):
                await play(app, loop)
        finally:
            running.cancel()
            await asyncio.wait([running])

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(run())


def _copy(record: Any) -> list[Record]:
    return [Record("out", record.key, record.value)]


def test_who_waited_goes_on_only_where_its_partition_still_is() -> None:
    """A message would be sent by the old worker and by the new one."""
    held = asyncio.Event()

    async def work(record: Any, context: ConcurrentContext) -> list[Record]:
        if record.value == b"waits":
            await context.wait(0.01)
        else:
            await held.wait()
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(b"waits", 0), record(b"works", 1)])
        await until(lambda: len(app.assignment.working) == 1)
        await asyncio.sleep(0.05)  # its time is over, and the one slot is taken
        app.move()
        held.set()
        await until(lambda: not app.assignment.working)
        assert app.publisher.published == [b"works"]
        app.moved()
        loop.buffer.add(TP0, [record(b"waits", 0)])
        await until(lambda: app.publisher.published == [b"works", b"waits"])

    _play(work, play, concurrency=1)


def test_what_a_stage_logs_names_its_record() -> None:
    """Lines of two conversations at once would name each other's record, or none."""
    seen: list[tuple[bytes, int]] = []
    both = asyncio.Barrier(2)

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        await both.wait()
        seen.append((record.value, add_place(None, "info", {"event": "x"})["offset"]))
        return []

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(b"a", 0), record(b"b", 1)])
        await until(lambda: len(seen) == 2)
        assert sorted(seen) == [(b"a", 0), (b"b", 1)]
        assert "offset" not in add_place(None, "info", {"event": "x"})

    _play(work, play, lane=lambda record: record.value)


def test_a_rebalance_does_not_wait_for_who_waits() -> None:
    """A group would stand still for as long as an account is over its limit."""

    async def work(record: Any, context: ConcurrentContext) -> list[Record]:
        await context.wait(60)
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(b"a", 0)])
        await until(lambda: len(loop) == 1 and not loop.buffer.not_empty.is_set())
        await until(lambda: not app.assignment.working)
        assert len(loop) == 1

    _play(work, play)


def test_what_moved_away_is_no_work_of_ours_any_more() -> None:
    """A worker would call itself stuck, and be restarted, for records that another one has."""

    async def work(_record: Any, context: ConcurrentContext) -> list[Record]:
        await context.wait(60)
        return []

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(b"a", 0)])
        await until(lambda: len(loop) == 1 and not loop.buffer.not_empty.is_set())
        app.move()
        app.moved()
        assert len(loop) == 0

    _play(work, play)


def test_a_slot_is_given_back_however_work_ends() -> None:
    """After enough failures, waits and moves a worker would take nothing in any more."""

    async def work(record: Any, context: ConcurrentContext) -> list[Record]:
        if context.attempt == 0:
            await context.wait(0.001)
            raise RuntimeError("once")
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        for fair_key in range(5):
            app.move()
            await asyncio.sleep(0.002)
            app.moved()
            loop.buffer.add(TP0, [record(b"%d" % number, number) for number in range(20)])
            await until(lambda: app.assignment.positions.get(TP0) == 20 and not len(loop))
            app.assignment.positions.clear()
            assert len(app.publisher.published) == 20 * (fair_key + 1)

    _play(work, play, concurrency=2)


@pytest.mark.parametrize("moves", [False, True])
def test_what_the_broker_refuses_is_a_dead_letter_and_holds_nobody_up(moves: bool) -> None:
    """One large answer would end the worker again and again, or, where letters are refused too, be gone for good."""

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        app.publisher.too_large |= {("out", b"large"), ("dead-letters.slow", b"large")}
        found = [record(b"1", 0), record(b"large", 1), record(b"2", 2)]
        loop.buffer.add(TP0, found)
        await until(lambda: app.publisher.refusals > 3)
        assert sorted(app.publisher.published) == [b"1", b"2"]
        assert app.assignment.positions == {TP0: 1}
        assert loop.blocked_dead_letters.cause == "OversizeRecord: dead-letters.slow"
        if moves:
            app.move()
            await until(lambda: not app.assignment.working)
            app.moved()
        app.publisher.too_large.remove(("dead-letters.slow", b"large"))
        if moves:
            loop.buffer.add(TP0, found[1:])
        await until(lambda: app.assignment.positions.get(TP0) == 3 and not app.assignment.working)
        await until(lambda: loop.blocked_dead_letters.cause is None)
        assert app.publisher.letters == [b"large"]

    _play(work, play)


def test_what_is_published_before_the_end_is_out_whatever_becomes_of_the_record() -> None:
    """A read mark would wait for the answer that it should come before."""
    answer = asyncio.Event()

    async def work(record: Any, context: ConcurrentContext) -> list[Record]:
        await context.publish([Record("out", b"k", b"early")])
        await answer.wait()
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(b"late", 0)])
        await until(lambda: app.publisher.published == [b"early"])
        assert not app.assignment.positions
        answer.set()
        await until(lambda: app.assignment.positions.get(TP0) == 1)
        assert app.publisher.published == [b"early", b"late"]

    _play(work, play)


def test_a_commit_is_told_to_the_records_below_it_and_to_no_other() -> None:
    """What a stage remembers of a record would be forgotten while the record may be delivered again, or never."""
    committed: list[bytes] = []
    held = asyncio.Event()

    async def work(record: Any, context: ConcurrentContext) -> list[Record]:
        context.when_committed(lambda: committed.append(record.value))
        if record.value == b"slow":
            await held.wait()
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(value, offset) for offset, value in enumerate((b"first", b"slow", b"behind"))])
        await until(lambda: app.publisher.published == [b"first", b"behind"] and app.assignment.positions)
        app.assignment.commit()
        assert committed == [b"first"], "the one behind may come again with the slow one"
        held.set()
        await until(lambda: app.assignment.positions.get(TP0) == 3)
        assert committed == [b"first"], "finished is not committed"
        app.assignment.commit()
        app.assignment.commit()
        assert committed == [b"first", b"slow", b"behind"]

    _play(work, play)


def test_what_is_too_large_to_be_published_early_fails_its_record() -> None:
    """It would be gone without a word, or stop the worker."""

    async def work(record: Any, context: ConcurrentContext) -> list[Record]:
        await context.publish([Record("out", b"k", b"early")])
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        app.publisher.too_large.add(("out", b"early"))
        loop.buffer.add(TP0, [record(b"late", 0)])
        await until(lambda: app.assignment.positions.get(TP0) == 1)
        assert (app.publisher.published, app.publisher.letters) == ([], [b"late"])

    _play(work, play)


def test_a_lane_that_is_no_key_is_the_records_failure() -> None:
    """A stage whose lane is a list would end the process with every record."""

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(b"odd", 0), record(b"even", 1)])
        await until(lambda: app.assignment.positions.get(TP0) == 2)
        assert (app.publisher.published, app.publisher.letters) == ([b"even"], [b"odd"])

    _play(work, play, lane=lambda record: [] if record.value == b"odd" else record.key)


async def _fails(_record: Any, _context: ConcurrentContext) -> list[Record]:
    raise PermanentError("never")


@pytest.mark.parametrize(
    ("too_large", "raises", "published"), [(False, False, [b"sorry"]), (True, False, []), (False, True, [])]
)
def test_a_last_word_goes_out_with_the_dead_letter(
    too_large: bool, raises: bool, published: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """An apology that can't be published would keep the record, and its partition, for ever.

    What a hook's exception says may quote the user, and the log would show it.
    """

    async def on_give_up(record: Any, _: ConcurrentContext, error: Exception) -> list[Record]:
        if raises:
            raise ValueError("what a user wrote")
        assert str(error) == "never"
        return [Record("out", record.key, b"sorry")]

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        if too_large:
            app.publisher.too_large.add(("out", b"sorry"))
        loop.buffer.add(TP0, [record(b"bad", 0)])
        await until(lambda: app.assignment.positions.get(TP0) == 1)
        assert (app.publisher.published, app.publisher.letters) == (published, [b"bad"])

    _play(_fails, play, on_give_up=on_give_up)
    assert "a user wrote" not in caplog.text
    logged = [str(each.msg) for each in caplog.records if "give_up_outputs_failed" in str(each.msg)]
    assert any("test_concurrent_loop.py" in line for line in logged) is raises


def test_without_its_last_word_nothing_is_given_up_while_the_store_is_away() -> None:
    """Its dead letter would be there without the record that keeps it one."""
    asked: list[int] = []

    async def on_give_up(record: Any, context: ConcurrentContext, error: Exception) -> list[Record]:
        asked.append(context.attempt)
        if len(asked) < 3:
            raise RetryAfter("away", delay=0.001)
        return [Record("out", record.key, b"sorry")]

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(b"bad", 0)])
        await until(lambda: app.assignment.positions.get(TP0) == 1)
        assert (app.publisher.published, app.publisher.letters) == ([b"sorry"], [b"bad"])
        assert asked == [1, 2, 3], "the record itself is tried again each time"

    _play(_fails, play, on_give_up=on_give_up)


def test_what_a_newer_version_wrote_waits_and_holds_nobody_else_up() -> None:
    """While a version is rolled out, an older worker would make dead letters of what its successor can read."""
    readable = asyncio.Event()

    def decode(record: Any) -> Any:
        if record.value == b"newer" and not readable.is_set():
            raise NewerRecord("a record of version 2", delay=0.001)
        return record

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(b"newer", 0), record(b"known", 1)])
        await until(lambda: app.publisher.published == [b"known"])
        readable.set()
        await until(lambda: app.publisher.published == [b"known", b"newer"])
        assert not app.publisher.letters

    _play(work, play, decode=decode)


def test_what_no_worker_can_read_in_time_is_a_dead_letter() -> None:
    """A record that nobody understands would hold its partition's offset for ever."""

    def decode(_: Any) -> Any:
        raise NewerRecord("a record of version 2", delay=0.001)

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(b"newer", 0)])
        await until(lambda: app.publisher.letters == [b"newer"])

    _play(work, play, decode=decode, retries=RetryPolicy(upgrade_wait=0.005))


def test_a_job_is_owned_while_its_partition_and_its_session_are() -> None:
    """What was frozen would do what another worker has done, or a job would be no one's while partitions only move."""
    asked: list[bool] = []
    go_on = asyncio.Event()

    async def work(record: Any, context: ConcurrentContext) -> list[Record]:
        asked.append(context.owned())
        await go_on.wait()
        asked.append(context.owned())
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(b"a", 0), record(b"b", 1)])
        await until(lambda: len(asked) == 2)
        app.move()
        assert asked == [True, True]
        app.moved()
        go_on.set()
        await until(lambda: len(asked) == 4)
        assert asked[2:] == [False, False]
        app.assignment.lease = MembershipLease(0)
        go_on.clear()
        loop.buffer.add(TP0, [record(b"c", 2)])
        await until(lambda: len(asked) == 5)
        assert not asked[4]

    _play(work, play)


def test_a_try_that_does_not_end_is_known_and_one_that_waits_is_not_held_against_anybody() -> None:
    """Liveness would forget a stuck hook when its partition moves, or fail for an account that is over its limit."""
    never = asyncio.Event()

    async def work(record: Any, context: ConcurrentContext) -> list[Record]:
        if record.value == b"waits":
            await context.wait(60)
        if record.value == b"fails":
            raise RetryAfter("later", 60)
        while record.value == b"hangs" and not never.is_set():
            with suppress(asyncio.CancelledError):
                await never.wait()
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        group = app.assignment
        values = (b"waits", b"fails", b"done", b"hangs")
        loop.buffer.add(TP0, [record(value, offset) for offset, value in enumerate(values)])
        await until(lambda: app.publisher.published == [b"done"] and len(loop) == 3)
        assert set(group.liveness.running_for()) == {TP0}
        app.move()
        app.moved()
        loop.buffer.add(TP0, [record(b"again", 0)])
        await until(lambda: b"again" in app.publisher.published)
        assert set(group.liveness.running_for()) == {TP0}
        never.set()

    _play(work, play)


@pytest.mark.parametrize("error", [Unavailable("redis is away"), RuntimeError("its database is down")])
def test_what_is_tried_again_and_again_is_no_try_that_does_not_end(error: Exception) -> None:
    """Workers would be restarted because Redis is away, or because a breaker is open."""
    tries: list[float] = []

    async def work(_: Any, __: ConcurrentContext) -> list[Record]:
        tries.append(0)
        raise error

    async def run() -> None:
        app = FakeApp()
        stage = ConcurrentStage("slow", work, lambda record: record, lambda record: record.key)
        loop = app.concurrent(stage, Breaker(BreakerConfig(consecutive=1)))
        running = asyncio.ensure_future(loop.run())
        loop.buffer.add(TP0, [record(b"a", 0)])
        async with asyncio.timeout(HANG):
            await until(lambda: len(tries) > 5)
        assert loop.breaker.open
        assert app.assignment.liveness.running_for() == {}
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(run())


def test_partitions_that_are_not_taken_while_failures_are_the_rule_are_not_stuck() -> None:
    """Every worker would be restarted, again and again, for as long as Redis is away."""
    now, tries = 1000.0, 0

    async def work(_record: Any, _context: ConcurrentContext) -> list[Record]:
        nonlocal tries
        tries += 1
        raise Unavailable("a service")

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        nonlocal now
        tp = TP("in", 1)
        liveness = app.assignment.liveness = Liveness(lambda: now)
        liveness.observe(tp, PartitionPosition(0, 0, True))
        loop.buffer.add(TP0, [record(b"a", 0)])
        await until(lambda: loop.breaker.open)
        loop.buffer.add(tp, [record(b"b", 0)])
        now += 500
        seen = tries
        await until(lambda: tries > seen + 2)
        assert liveness.stalled_for() == {tp: 0}

    _play(work, play, breaker=BreakerConfig(consecutive=1, failure_rate=0))


def test_tries_while_something_was_away_leave_the_others_as_many() -> None:
    """A message that waited for Redis for a minute would be given up when its hook then raises once."""
    errors = iter([*[BackendUnavailable("away")] * 10, *[RuntimeError("a bug")] * 2])

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        if error := next(errors, None):
            raise error
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(b"a", 0)])
        await until(lambda: app.publisher.published + app.publisher.letters)
        assert app.publisher.published == [b"a"]

    _play(work, play)
