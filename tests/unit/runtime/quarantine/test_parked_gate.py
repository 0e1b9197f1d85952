"""The gate of parked records by itself: notes, hints, and a record that does not get to run."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from zlib import crc32

from faust.types import TP

from pipeline.runtime.parking.queues import ParkedQueue
from pipeline.runtime.parking.suspects import ParkedSuspects
from pipeline.runtime.quarantine.crash_marker import CrashHint
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.quarantine.ledger import SuspectLedger
from pipeline.runtime.quarantine.parked_gate import ENOUGH, FIRST_ALONE, PROGRESS, ParkedGate, ParkedState
from pipeline.runtime.quarantine.parked_suspects import MAX_SUSPECTS, NONE_RUNS, ParkedSuspicion, from_note, to_note
from pipeline.runtime.quarantine.quarantine import Quarantine
from pipeline.runtime.quarantine.suspects import CLEAR, LIVES, SPAN, Running, Suspicion, decode, decode_parked, encode
from pipeline.testing.memory_flows import InMemoryAssignment
from pipeline.testing.own_time import OwnTime
from tests.support.loop_stand_ins import TP0

BIG = 2**62


class Committing(InMemoryAssignment):
    """A group that takes each note at once."""

    async def commit_notes(self) -> bool:
        self.quarantine.begin_commit({})
        self.quarantine.finish_commit()
        return True


def _noted(assignment: InMemoryAssignment, tp: TP) -> ParkedSuspicion:
    return from_note(decode_parked(assignment.quarantine.notes[tp]))


def test_a_death_in_a_parked_record_makes_no_record_behind_the_position_suspect() -> None:
    """All records of the topic would be narrowed by halves, life by life, for what a parked one did."""
    died = CrashHint(3, 0, crc32(b"in"))
    for hint, suspect in ((died, False), (died._replace(offset=12), True), (None, True)):
        ledger = SuspectLedger("app")
        ledger.inherit({TP0: (10, encode(Suspicion(lives=LIVES)))}, {TP0: 20}, hint)
        assert bool(ledger.suspects) is suspect


def test_moving_partitions_forget_no_death_of_an_earlier_process() -> None:
    """Its group gives a dead member up while the next one works: every death would be forgotten by that."""
    parked = ParkedState(ParkedSuspicion(lives=1), opened=True)
    parked.count()
    assert parked.state.lives == 2
    parked.rest(ending=False)
    assert parked.state == ParkedSuspicion(lives=1)
    parked.rest(ending=True)
    assert parked.state == ParkedSuspicion()


def test_a_note_about_parked_records_is_read_back_and_fits() -> None:
    """A broker refuses metadata of more than 4,096 bytes, and each commit with it."""
    state = Suspicion(
        BIG, tuple(BIG - n for n in range(SPAN.bit_length() + 2)), Running.ALONE, BIG, BIG, tuple(range(BIG, BIG + 100))
    )
    parked = ParkedSuspicion(BIG, narrow=True, running=BIG)
    for offset in range(2 * MAX_SUSPECTS):
        parked = parked.suspecting(BIG + offset, 2)
    note = encode(state, to_note(parked))
    assert (decode(note), from_note(decode_parked(note))) == (state, parked)
    assert len(note) < 4_096
    for other in ("", None, "x", "[2,1]", encode(state), encode(CLEAR, [1, "?"])):
        assert from_note(decode_parked(other)) == ParkedSuspicion()


def test_a_record_that_can_not_run_after_all_lets_the_others_go_on() -> None:
    """Its account is away again, and every record of the process would wait for it for ever."""

    class Other:
        quiet = idle = True

        def pause(self) -> None: ...
        def uncount(self) -> None: ...
        def resume(self) -> None:
            known.append(_noted(assignment, TP0))

    assignment, known = Committing(), list[ParkedSuspicion]()

    async def play() -> None:
        exclusive = ProcessExclusivity()
        assignment.quarantine = Quarantine("app", assignment, exclusive)
        exclusive.join(Other())
        gate, tp, woken = assignment.quarantine.parked, TP("in", 0), asyncio.Event()
        assignment.quarantine.inherit({tp: (10, encode(CLEAR, to_note(ParkedSuspicion(suspects=((3, 1),)))))}, {})
        running = asyncio.ensure_future(assignment.quarantine.run())
        suspects = ParkedSuspects(assignment, "in", lambda _: False, woken.set)
        suspects.open(0, 1, lambda offset: offset == 3)
        assert not suspects.may_load(0)
        await woken.wait()
        queue = ParkedQueue(("g", "k"), b"", 0)
        assert (suspects.admits(queue, 2), suspects.admits(queue, 3)) == (True, False)
        suspects.end_load()
        woken.clear()
        await woken.wait()
        assert gate.is_alone(tp, 3)
        assert not assignment.quarantine.may_run.is_set()
        assert not suspects.admits(queue, 4), "another one is loaded while one runs alone"
        suspects.end_load()  # it was not loaded
        await assignment.quarantine.may_run.wait()
        assert not gate.is_alone(tp, 3)
        (state,) = known
        assert (state.running, state.suspects) == (-1, ((3, 1),)), "another app runs before the broker knows"
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(asyncio.wait_for(play(), 600))


def test_a_death_counts_only_while_parked_records_are_in_memory() -> None:
    """Two nights with a power cut would have a worker load one by one what waits for an account."""

    async def play() -> None:
        assignment, woken = Committing(), asyncio.Event()
        assignment.quarantine = Quarantine("app", assignment, ProcessExclusivity())
        assignment.quarantine.inherit({TP0: (10, "")}, {})
        running = asyncio.ensure_future(assignment.quarantine.run())
        suspects = ParkedSuspects(assignment, "in", lambda _: False, woken.set)
        suspects.open(0, 1, lambda _: True)
        queue = ParkedQueue(("g", "k"), b"", 0)
        for _ in range(3):
            assert not suspects.may_load(0), "it is loaded before the broker knows"
            await woken.wait()
            woken.clear()
            assert suspects.admits(queue, 2)
            assert _noted(assignment, TP0).lives == 1
            suspects.unloaded(queue, 2)
            await assignment.commit_notes()
            assert _noted(assignment, TP0).lives == 0
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(asyncio.wait_for(play(), 600))


class Partition:
    """A partition in which a killer is searched. The broker knows all of its notes."""

    position: int | None = 10
    dirty = False

    def __init__(self, *in_work: int) -> None:
        self.parked = ParkedState(ParkedSuspicion(narrow=True), in_work=set(in_work))


def test_a_record_that_waited_to_run_alone_and_need_not_any_more_is_not_waited_for() -> None:
    """The whole process would stand still for a record that has run with the others, until it is killed."""
    partition, tp = Partition(1), TP0
    gate = ParkedGate("app", {tp: partition}, lambda: None, lambda: True)

    async def play() -> None:
        waiting = asyncio.ensure_future(gate.wait_until_alone(tp, 1, lambda: True))
        await asyncio.sleep(0)
        assert gate.next_alone() == (tp, 1)
        partition.parked.survived = FIRST_ALONE
        gate.forget_alone()
        await waiting
        assert gate.next_alone() is None

    asyncio.run(play())


def test_the_time_of_a_record_that_is_gone_ends_at_once() -> None:
    """Everything else would wait for its end, which has been."""
    partition, tp = Partition(2), TP0
    gate = ParkedGate("app", {tp: partition}, lambda: None, lambda: True)
    gate.offer(tp, 1, in_memory=True)
    record = gate.next_alone()
    assert record is not None
    gate.begin_alone(record)
    assert (gate.alone, gate.over, partition.parked.state.running) == (None, True, NONE_RUNS)


def test_deaths_between_which_much_is_finished_begin_no_search() -> None:
    """Three deployments that were killed during a campaign of hours would make it send one message after the other."""
    for finished, searches in ((PROGRESS, False), (PROGRESS - 1, True)):
        state = ParkedSuspicion()
        for _ in range(20):
            parked = ParkedState(state.inherited(hinted=False))
            parked.count()
            for _ in range(finished):
                parked.survive()
            state = parked.state
        assert state.inherited(hinted=False).narrow is searches


def test_the_broker_knows_that_earlier_deaths_count_no_more() -> None:
    """The next process would count them again, and search for nothing."""

    async def play() -> None:
        assignment, woken = Committing(), asyncio.Event()
        assignment.quarantine = Quarantine("app", assignment, ProcessExclusivity())
        assignment.quarantine.inherit({TP0: (10, encode(CLEAR, to_note(ParkedSuspicion(lives=LIVES - 1))))}, {})
        running = asyncio.ensure_future(assignment.quarantine.run())
        suspects = ParkedSuspects(assignment, "in", lambda _: False, woken.set)
        suspects.open(0, 1, lambda _: True)
        queue = ParkedQueue(("g", "k"), b"", 0)
        assert not suspects.may_load(0)
        await woken.wait()
        for offset in range(PROGRESS + 1):
            assert _noted(assignment, TP0).lives == LIVES
            assert suspects.admits(queue, offset)
        for offset in range(PROGRESS):
            suspects.finished(queue, offset)
        await asyncio.sleep(1)
        assert _noted(assignment, TP0).lives == 1, "this process still counts: one of its records is in memory"
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(asyncio.wait_for(play(), 600))


def test_what_is_asked_for_while_a_note_is_committed_waits_for_its_own() -> None:
    """A record that ends its process at once would be counted in no life."""

    class Asked(Committing):
        async def commit_notes(self) -> bool:
            await super().commit_notes()
            suspects.may_load(0)  # in the middle of the commit of another partition's note
            return True

    async def play() -> None:
        other = TP("in", 1)
        assignment.quarantine = Quarantine("app", assignment, ProcessExclusivity())
        assignment.quarantine.inherit({TP0: (10, ""), other: (10, "")}, {})
        running = asyncio.ensure_future(assignment.quarantine.run())
        for partition in (0, 1):
            suspects.open(partition, 1, lambda _: True)
        for partition in (1, 0):
            while not suspects.may_load(partition):  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert _noted(assignment, TP0).lives == 1
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    assignment = Asked()
    suspects = ParkedSuspects(assignment, "in", lambda _: False, lambda: None)
    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(asyncio.wait_for(play(), 600))


def test_a_search_among_parked_records_runs_as_many_at_once_as_were_survived() -> None:
    """After three deaths by other causes thousands of parked records would go out one by one, for minutes."""
    parked = ParkedState(ParkedSuspicion(narrow=True))
    for _ in range(FIRST_ALONE):
        assert parked.runs_alone
        parked.survive()
    rounds, survived = 0, FIRST_ALONE
    while parked.state.narrow:
        assert not parked.runs_alone
        while parked.has_width:
            parked.in_work.add(len(parked.in_work))
        assert len(parked.in_work) == min(survived, parked.survived)
        survived += len(parked.in_work)
        for _ in range(len(parked.in_work)):
            parked.survive()
        parked.in_work.clear()
        rounds += 1
    assert rounds <= 7
    assert parked.survived >= ENOUGH
    assert parked.has_width
    assert parked.state == ParkedSuspicion()
