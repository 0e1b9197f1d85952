"""The quarantine between buffers and loops, over processes that die: real loops of both kinds, a broker in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import RetryAfter, Unavailable
from pipeline.runtime.flows.breaker import OFF, Breaker, BreakerConfig
from pipeline.runtime.flows.chain_loop import ChainLoop
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.in_flight import InFlightRecord
from pipeline.runtime.flows.stage import ConcurrentContext, ConcurrentStage, Stage
from pipeline.runtime.quarantine import exclusive, quarantine
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.quarantine.quarantine import Quarantine
from pipeline.runtime.quarantine.suspects import Suspicion, decode, encode
from pipeline.testing import TestRecord
from pipeline.testing.memory_flows import InMemoryAssignment
from pipeline.topics.records import Record
from tests.support.loop_stand_ins import FakeApp, until
from tests.support.waiting import HANG

MOST_LIVES = 60


class Died(BaseException):
    """The process is gone."""


class Broker:
    """Partitions, and what is committed of them.

    Attributes:
        notes: position and metadata.
        given_up: values of dead letters.
    """

    def __init__(self, sizes: Iterable[int]) -> None:
        self.logs = {TP("in", part): [_record(part, n) for n in range(size)] for part, size in enumerate(sizes)}
        self.notes: dict[TP, tuple[int | None, str]] = dict.fromkeys(self.logs, (None, ""))
        self.given_up: set[bytes] = set()
        self.done: set[bytes] = set()

    @property
    def finished(self) -> bool:
        """All is committed, and nothing is left to be said about it."""
        return all(self.notes[tp] == (len(log), "") for tp, log in self.logs.items())


def _record(part: int, offset: int) -> TestRecord:
    value = f"{part}-{offset}".encode()
    return TestRecord(value, value, topic="in", partition=part, offset=offset)


class Life(InMemoryAssignment):
    """One process's place in the group."""

    def __init__(self, broker: Broker, exclusive: ProcessExclusivity | None = None) -> None:
        super().__init__()
        self._broker = broker
        self._loops: list[ChainLoop | ConcurrentLoop] = []
        self.quarantine = Quarantine(
            "life", self, exclusive or ProcessExclusivity(), lambda: all(loop.quiet for loop in self._loops)
        )

    async def commit_notes(self) -> bool:
        await asyncio.sleep(0)
        moved = {tp: at for tp, at in self.positions.items() if at != self._broker.notes[tp][0]}
        for tp, offset in self.quarantine.begin_commit(moved).items():
            self._broker.notes[tp] = offset, self.quarantine.notes[tp]
        self.quarantine.finish_commit()
        return True

    def reads(self, loop: ChainLoop | ConcurrentLoop) -> None:
        self._loops.append(loop)
        self.buffers[loop.source] = loop.buffer
        loop.buffer.gate = self.quarantine

    def start(self) -> None:
        broker, ends = self._broker, {tp: len(log) for tp, log in self._broker.logs.items()}
        self.quarantine.inherit(broker.notes, ends)
        for tp, log in broker.logs.items():
            self.buffers[tp.topic].add(tp, log[broker.notes[tp][0] or 0 :])
            self.quarantine.mark_buffered(tp, len(log))

    async def commit_forever(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            await self.commit_notes()


async def _live(broker: Broker, kind: str, killers: set[bytes], exclusive: ProcessExclusivity | None = None) -> bool:
    """One process. Whether it came to the end of everything."""
    life = Life(broker, exclusive)
    app = FakeApp(life)
    life.reads(_loop(app, kind, killers))
    life.start()
    running = [
        asyncio.ensure_future(each) for each in (life._loops[0].run(), life.quarantine.run(), life.commit_forever())
    ]
    ending = asyncio.ensure_future(until(lambda: broker.finished))
    async with asyncio.timeout(HANG):
        await asyncio.wait([*running, ending], return_when=asyncio.FIRST_COMPLETED)
    for each in (*running, ending):
        each.cancel()
    for each in running:
        with suppress(asyncio.CancelledError, BaseExceptionGroup):
            await each
    await asyncio.wait([ending])
    broker.done |= set(app.publisher.published)
    broker.given_up |= set(app.publisher.letters)
    return broker.finished


def _loop(app: FakeApp, kind: str, killers: set[bytes]) -> ChainLoop | ConcurrentLoop:
    if kind == "concurrent":

        async def work(record: Any, context: ConcurrentContext) -> list[Record]:
            return _work(record, killers)

        stage = ConcurrentStage("slow", work, lambda record: record, lambda record: record.key)
        return app.concurrent(stage)
    return app.chained([Stage("quick", lambda record, _: _work(record, killers))])


def _work(record: Any, killers: set[bytes]) -> list[Record]:
    if record.value in killers:
        raise Died
    return [Record("out", record.key, record.value)]


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[list[int], set[bytes]]:
    sizes = draw(st.lists(st.integers(1, 20), min_size=1, max_size=3))
    values = [f"{part}-{n}".encode() for part, size in enumerate(sizes) for n in range(size)]
    return sizes, draw(st.sets(st.sampled_from(values), max_size=3))


@pytest.mark.parametrize("kind", ["concurrent", "chain"])
@settings(max_examples=15, deadline=None)
@given(world=_worlds())
def test_killers_become_dead_letters_and_everything_else_is_done(
    kind: str, world: tuple[list[int], set[bytes]]
) -> None:
    """A loop would run a suspect beside others, or wait for ever behind the gate."""
    sizes, killers = world
    broker = Broker(sizes)
    for _ in range(MOST_LIVES):
        if asyncio.run(_live(broker, kind, killers)):
            break
    assert broker.finished
    assert broker.given_up == killers
    assert broker.done == {record.value for log in broker.logs.values() for record in log} - killers


def test_what_retries_or_belongs_to_another_app_waits_while_a_record_runs_alone() -> None:
    """A record would be blamed for the death of another one that ran beside it."""
    broker, other_broker = Broker([4, 1]), Broker([30])
    broker.notes[TP("in", 0)] = (0, encode(Suspicion(ends=(2, 4))))
    tries: list[bytes] = []
    seen: list[int] = []
    over = asyncio.Event()

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        tries.append(record.value)
        if record.value == b"1-0" and not over.is_set():
            raise RetryAfter("not yet", 0.001)
        if record.value in (b"0-2", b"0-3"):
            before = len(tries)
            await asyncio.sleep(0.05)
            seen.append(len(tries) - before)
        return [Record("out", record.key, record.value)]

    async def elsewhere(record: Any, context: ConcurrentContext) -> list[Record]:
        tries.append(record.value)
        await context.wait(0.001)
        return [Record("out", record.key, record.value)]

    async def play() -> None:
        exclusive = ProcessExclusivity()
        tasks = [*_started(broker, exclusive, work), *_started(other_broker, exclusive, elsewhere)]
        async with asyncio.timeout(HANG):
            await until(lambda: len(seen) == 2)
            over.set()
            await until(lambda: broker.finished and other_broker.finished)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(play())
    assert seen == [0, 0]
    assert tries.count(b"1-0") > 1


def _started(broker: Broker, exclusive: ProcessExclusivity, work: Any) -> list[asyncio.Future[None]]:
    return _begun(broker, work, exclusive=exclusive)[1]


def _begun(
    broker: Broker,
    work: Any,
    lane: Any = lambda record: record.key,
    limits: BreakerConfig = OFF,
    exclusive: ProcessExclusivity | None = None,
) -> tuple[ConcurrentLoop, list[asyncio.Future[None]]]:
    life = Life(broker, exclusive)
    loop = FakeApp(life).concurrent(ConcurrentStage("slow", work, lambda r: r, lane), Breaker(limits))
    life.reads(loop)
    life.start()
    return loop, [asyncio.ensure_future(each) for each in (loop.run(), life.quarantine.run(), life.commit_forever())]


def test_an_end_in_order_is_held_against_nobody() -> None:
    """After two deployments or rebalances in a row a quiet conversation would be suspected of killing its worker."""
    broker = Broker([3])
    hold = asyncio.Event()

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        await hold.wait()
        return [Record("out", record.key, record.value)]

    async def play() -> None:
        life = Life(broker)
        loop = FakeApp(life).concurrent(ConcurrentStage("slow", work, lambda r: r, lambda r: r.key))
        life.reads(loop)
        life.start()
        tasks = [asyncio.ensure_future(each) for each in (loop.run(), life.quarantine.run())]
        await until(life.liveness.running_for)
        assert decode(broker.notes[TP("in", 0)][1]).lives == 1
        assert life.quarantine.final_notes() == {TP("in", 0): (0, "")}
        life.quarantine.rest()
        await life.commit_notes()
        assert broker.notes[TP("in", 0)] == (0, "")
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(play())


def test_offsets_without_records_are_passed() -> None:
    """A window that ends in the mark of a transaction would stand still for ever."""
    broker = Broker([4])
    tp = TP("in", 0)
    broker.notes[tp] = (0, encode(Suspicion(ends=(9,))))

    async def play() -> None:
        life = Life(broker)
        loop = _loop(FakeApp(life), "concurrent", set())
        life.reads(loop)
        life.start()
        tasks = [asyncio.ensure_future(each) for each in (loop.run(), life.quarantine.run(), life.commit_forever())]
        await until(lambda: broker.notes[tp][0] == 4)
        assert life.quarantine.suspects == [tp]
        life.quarantine.mark_buffered(tp, 9)
        await until(lambda: broker.finished)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(play())


@pytest.mark.parametrize("ends", [(1, 2), (2, 8), (4, 8), (8,)], ids=["alone", "two", "half", "all"])
def test_who_waits_behind_a_waiting_record_of_its_lane_keeps_nobody_back(ends: tuple[int, ...]) -> None:
    """Two kills while an account is closed for an hour would stop a whole process for that hour."""
    broker = Broker([8, 3])
    broker.notes[TP("in", 0)] = (0, encode(Suspicion(ends=ends)))
    done: set[bytes] = set()

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        if record.value == b"0-0":
            raise RetryAfter("its account is closed", 3600)
        done.add(record.value)
        return [Record("out", record.key, record.value)]

    async def play() -> None:
        loop, tasks = _begun(broker, work, lambda record: (record.partition, record.offset < 4))
        life: Any = loop._assignment
        async with asyncio.timeout(HANG):
            await until(lambda: done == {b"0-4", b"0-5", b"0-6", b"0-7", b"1-0", b"1-1", b"1-2"})
            await until(lambda: not life.quarantine.suspects)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(play())


def test_a_record_that_runs_alone_is_the_probe_of_an_open_breaker() -> None:
    """The process would wait for a record that is not taken before others are tried, and they for its turn."""
    broker = Broker([1, 3])
    tp = TP("in", 0)
    broker.notes[tp] = (0, encode(Suspicion(ends=(1,))))
    late, broker.logs[tp] = broker.logs[tp], []
    away = True

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        if away:
            raise Unavailable("a service")
        return [Record("out", record.key, record.value)]

    async def play() -> None:
        nonlocal away
        loop, tasks = _begun(broker, work, limits=BreakerConfig(consecutive=2, failure_rate=0))
        life: Any = loop._assignment
        async with asyncio.timeout(HANG):
            await until(lambda: loop.breaker.open)
            broker.logs[tp] = late
            loop.buffer.add(tp, late)
            life.quarantine.mark_buffered(tp, 1)
            await until(lambda: not life.quarantine.suspects)
            away = False
            await until(lambda: broker.finished)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(play())


def test_who_lost_its_partitions_waits_no_more_for_others_to_rest() -> None:
    """After a rebalance a worker would take nothing for a minute, since somebody else's record is slow."""
    broker = Broker([1])
    broker.notes[TP("in", 0)] = (0, encode(Suspicion(ends=(1,))))

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        return [Record("out", record.key, record.value)]

    class Restless:
        quiet = idle = False

        def pause(self) -> None: ...
        def uncount(self) -> None: ...
        def resume(self) -> None: ...

    async def play() -> None:
        exclusive = ProcessExclusivity()
        loop, tasks = _begun(broker, work, exclusive=exclusive)
        exclusive.join(Restless())
        life: Any = loop._assignment
        async with asyncio.timeout(HANG):
            await until(lambda: exclusive.holder is life.quarantine)
            assert life.quarantine.held_back == [TP("in", 0)], "liveness would count it as stuck"
            life.quarantine.rest()
            life.quarantine.reset()
            loop.buffer.clear()
            life.epoch += 1
            broker.notes[TP("in", 0)] = (0, "")
            life.start()
            await until(lambda: broker.finished)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(play())


def test_a_commit_that_is_refused_while_the_group_settles_is_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash the first records would wait for a second for what could be committed at once."""
    broker, waits = Broker([1]), list[float]()

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        return [Record("out", record.key, record.value)]

    def wake_at_once(self: Quarantine, seconds: float = quarantine.RETRY_SECONDS) -> None:
        waits.append(seconds)
        asyncio.get_running_loop().call_soon(self._wake.set)

    async def play() -> None:
        monkeypatch.setattr(Quarantine, "_wake_later", wake_at_once)
        loop, tasks = _begun(broker, work)
        life: Any = loop._assignment

        async def refuse() -> bool:
            await asyncio.sleep(0)
            return False

        life.commit_notes = refuse
        async with asyncio.timeout(HANG):
            await until(lambda: len(waits) > 6)
            assert waits[:7] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
            del life.commit_notes
            await until(lambda: broker.finished)
        assert life.quarantine._retry_seconds == quarantine.FIRST_RETRY_SECONDS, "the next refusal is another one"
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(play())


def test_a_record_that_did_not_get_to_run_alone_is_not_said_to_run() -> None:
    """A commit that was refused would have a healthy record blamed for the next death."""
    broker = Broker([1])
    tp = TP("in", 0)
    broker.notes[tp] = (0, encode(Suspicion(ends=(1,))))

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        return [Record("out", record.key, record.value)]

    async def play() -> None:
        loop, tasks = _begun(broker, work)
        life: Any = loop._assignment
        cells = life.quarantine._ledger.partitions
        asked = 0

        async def refuse() -> bool:
            nonlocal asked
            asked += 1
            return False

        life.commit_notes = refuse
        async with asyncio.timeout(HANG):
            await until(lambda: asked and life.quarantine._not_before)
            assert cells[tp].state.running == ""
            del life.commit_notes
            await until(lambda: broker.finished)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(play())


def test_suspects_of_a_log_that_was_made_anew_are_forgotten() -> None:
    """The whole process would wait for an offset that the new log reaches in days."""
    broker = Broker([3])
    tp = TP("in", 0)
    broker.notes[tp] = (100, encode(Suspicion(ends=(101, 104))))

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        return [Record("out", record.key, record.value)]

    async def play() -> None:
        loop, tasks = _begun(broker, work)
        life: Any = loop._assignment
        life.quarantine.restart(tp, 0)
        loop.buffer.add(tp, broker.logs[tp])
        async with asyncio.timeout(HANG):
            await until(lambda: broker.finished)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(play())


def test_what_waited_for_its_turn_goes_when_its_partition_does() -> None:
    """It would stand in front of a record of its lane that is to run alone, and both would wait for ever."""
    broker = Broker([1])

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        return [Record("out", record.key, record.value)]

    async def play() -> None:
        loop, tasks = _begun(broker, work)
        life: Any = loop._assignment
        life.quarantine.may_run.clear()
        life.quarantine.pause()
        await asyncio.sleep(0)
        loop._in_flight.start_epoch()
        loop._admit(InFlightRecord(TP("in", 0), broker.logs[TP("in", 0)][0], life.epoch))
        async with asyncio.timeout(HANG):
            await asyncio.sleep(0.01)
            assert loop._executor._queues
            life.epoch += 1
            life.quarantine.reset()
            await until(lambda: not loop._executor._queues)
            assert not life.quarantine.may_run.is_set(), "what is fetched from now on waits for who runs alone"
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(play())


def test_a_record_that_never_gets_to_run_alone_leaves_the_others_half_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beside a batch that is tried again for minutes a process would work for one second in sixty."""
    monkeypatch.setattr(exclusive, "REST_SECONDS", 0.2)
    monkeypatch.setattr(quarantine, "RETRY_SECONDS", 0.0)
    broker = Broker([1])
    broker.notes[TP("in", 0)] = (0, encode(Suspicion(ends=(1,))))
    held: list[float] = []

    async def work(_record: Any, _context: ConcurrentContext) -> list[Record]:
        raise AssertionError

    class Restless:
        quiet = idle = False

        def pause(self) -> None:
            held.append(time.monotonic())

        def uncount(self) -> None: ...
        def resume(self) -> None: ...

    async def play() -> None:
        shared = ProcessExclusivity()
        shared.join(Restless())
        _, tasks = _begun(broker, work, exclusive=shared)
        async with asyncio.timeout(HANG):
            await until(lambda: len(held) > 1)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(play())
    assert held[1] - held[0] >= 0.39


def test_a_killer_behind_a_record_that_waits_becomes_a_dead_letter() -> None:
    """Its process would die for as long as the account in front of it is closed: each life forgot the deaths before."""
    broker = Broker([4])

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        if record.value == b"0-0":
            raise RetryAfter("its account is closed", 3600)
        return _work(record, {b"0-1"})

    async def live() -> None:
        loop, tasks = _begun(broker, work)
        sink: Any = loop._context.publisher
        ending = asyncio.ensure_future(until(lambda: sink.letters and len(sink.published) == 2))
        async with asyncio.timeout(HANG):
            await asyncio.wait([*tasks, ending], return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, ending):
            task.cancel()
        for task in (*tasks, ending):
            with suppress(asyncio.CancelledError, BaseExceptionGroup):
                await task
        broker.given_up |= set(sink.letters)

    for _ in range(MOST_LIVES):
        if not broker.given_up:
            asyncio.run(live())
    assert broker.given_up == {b"0-1"}
