"""The loop of a slow stage: many lanes at once, one value at a time in each, retries in place.

Offsets go up to the first unfinished record, whatever finished behind it. What finishes at the same time is
published together.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Container, Coroutine, Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from faust.types import TP

from pipeline.errors import NewerRecord, OversizeRecord, Unavailable, WorkerDied
from pipeline.logging import bind_record, get_logger, raised_at
from pipeline.metrics import BATCH_SECONDS, RECORDS, RETRIES
from pipeline.runtime.faust.consumer import Busy
from pipeline.runtime.flows.breaker import Breaker
from pipeline.runtime.flows.chain import Output, checked
from pipeline.runtime.flows.dead_letters import Unburied, dead_letter, refused
from pipeline.runtime.flows.fetch_buffer import Backlog
from pipeline.runtime.flows.offsets import OffsetTracker
from pipeline.runtime.flows.stage import Abandoned, ConcurrentStage, Scope
from pipeline.runtime.tables.commit import commit
from pipeline.runtime.tables.views import Mark, TableView, undo
from pipeline.topics.records import Record

if TYPE_CHECKING:
    from pipeline.runtime.faust.app import PipelineApp

T = TypeVar("T")
_LOGGER = get_logger(__name__)
WINDOW = 1_000
"""Records of one partition that may be taken and not finished."""
WINDOW_BYTES = 4 * 1024 * 1024
"""Bytes of one partition that may be taken and not finished."""


@dataclass(slots=True, eq=False)
class Job:
    """One record on its way.

    Attributes:
        lane: the records of its lane from the one on that is worked on.
        waits: whether it has waited for another try, and does not run again yet.
    """

    tp: TP
    record: Any
    epoch: int
    value: Any = None
    decoded: bool = True
    attempts: int = 0
    dead: bool = False
    waits: bool = False
    lane: Sequence[Job] = ()
    outputs: list[Output] = field(default_factory=list)
    journal: list[Mark] = field(default_factory=list)


class Commit(NamedTuple):
    """What is to take effect, and what to do when it has, or when the broker refused some of it."""

    outputs: list[Output]
    marks: list[Mark]
    then: Callable[[], object]
    refused: Callable[[], object]

    def hit_by(self, bad: Container[int]) -> bool:
        """Whether the source of its outputs is among these, by identity."""
        return any(id(source) in bad for _, source in self.outputs)


class ConcurrentLoop:
    """Takes records as lanes have room, runs the stage, commits what finished, lets the offsets go."""

    def __init__(self, app: PipelineApp, source: str, stage: ConcurrentStage, breaker: Breaker) -> None:
        self.source = source
        self.backlog = Backlog()
        self.breaker = breaker
        self.unburied = Unburied()
        self._app = app
        self._stage = stage
        self._lanes: dict[Hashable, deque[Job]] = {}
        self._trackers: dict[TP, OffsetTracker] = {}
        self._epoch = -1
        self._working = 0
        self._busy: Busy | None = None
        self._commits: list[Commit] = []
        self._some_commits = asyncio.Event()
        self._room = asyncio.Event()

    def __len__(self) -> int:
        return len(self.backlog) + (self._unfinished() if self._trackers else 0)

    def _unfinished(self) -> int:
        if self._epoch != self._app.list_consumer.epoch:  # all of it will be delivered again, perhaps elsewhere
            return 0
        return sum(tracker.unfinished for tracker in self._trackers.values())

    @property
    def quiet(self) -> bool:
        """True if no record runs. Some may wait for another try."""
        return not self._working

    async def run(self) -> None:
        self._slots = asyncio.Semaphore(self._stage.concurrency)
        await self._app.publisher.watch([self.source])
        async with asyncio.TaskGroup() as self._tasks:
            self._tasks.create_task(self._commit_forever())
            while not self._app.should_stop:
                await self._take()

    # Taking

    async def _take(self) -> None:
        await self.backlog.some.wait()
        if not self._app.flowing:
            self.backlog.clear()
            await asyncio.sleep(0)
            return
        self._start_epoch(self._app.list_consumer.epoch)
        self._room.clear()
        self.backlog.arrived.clear()
        if not self._may_take() or not sum(self._admit_from(tp) for tp in self.backlog.waiting()):
            await self._wait_for_room()
        await asyncio.sleep(0)

    def _start_epoch(self, epoch: int) -> None:
        """Positions were set anew: what was taken before will be delivered again, so it is not counted any more."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._trackers.clear()
            self.breaker.emptied()

    def _may_take(self) -> bool:
        if self.breaker.open and not self._unfinished():
            self.breaker.emptied()
        return not self.breaker.open or self._app.list_consumer.quarantine.runs_alone  # then that one is the probe

    def _admit_from(self, tp: TP) -> int:
        tracker = self._trackers.setdefault(tp, OffsetTracker())
        room = WINDOW - tracker.unfinished if tracker.size < WINDOW_BYTES else 0
        records = self.backlog.take(tp, room, WINDOW_BYTES - tracker.size)
        if records:
            self._tried(tp)
        quarantine = self._app.list_consumer.quarantine
        allowed = quarantine.allowed(tp, records)
        for n, record in enumerate(records):
            if n >= allowed and (verdict := quarantine.verdict(tp, record.offset)):
                self._condemn(Job(tp, record, self._epoch), tracker, verdict)
                continue
            tracker.take(record.offset, len(record.value or b""))
            self._admit(Job(tp, record, self._epoch))
        return len(records)

    def _condemn(self, job: Job, tracker: OffsetTracker, verdict: WorkerDied) -> None:
        """Gives a record up that is not to be run, nor decoded."""
        tracker.take(job.record.offset, len(job.record.value or b""))
        job.attempts = verdict.deaths
        self._begin(job)
        self._give_up(job, verdict)

    def _admit(self, job: Job) -> None:
        try:
            job.value = self._stage.decode(job.record)
            lane = self._stage.lane(job.value)
            queue = self._lanes.get(lane)
        except NewerRecord:  # whose lane it is only a newer worker can tell: it waits in that of its key
            job.decoded, lane = False, job.record.key
            queue = self._lanes.get(lane)
        except Exception as error:  # the bytes are not what they should be, whatever decode raises
            self._begin(job)
            self._give_up(job, error)
            return
        if queue is None:
            queue = self._lanes[lane] = deque()
            self._tasks.create_task(self._run_lane(lane, queue))
        queue.append(job)
        job.lane = queue
        if self._is_kept_back(job):
            self._survived(job)

    async def _wait_for_room(self) -> None:
        """Every partition that has records has its window full, or failures are the rule: waits for a change."""
        events = (self._room, self.backlog.arrived, self._app.list_consumer.suspend_flow)
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    # Working

    async def _run_lane(self, lane: Hashable, queue: deque[Job]) -> None:
        while queue:
            with suppress(Abandoned):
                await self._work(queue[0])
            queue.popleft()
        del self._lanes[lane]

    async def _work(self, job: Job) -> None:
        """Runs a job until it succeeds, is given up, or is abandoned because partitions move."""
        bind_record(job)  # of this lane's task alone
        while True:
            await self._enter(job)
            try:
                self._require_current(job)
                self._begin(job)
                error = await self._attempt(job)
            finally:
                self._slots.release()
            if error is None:
                return
            self._end(job)
            RETRIES.labels(self._stage.name, type(error).__name__).inc()
            await self._pause(job, self._app.retries.delay(error, job.attempts))

    async def _enter(self, job: Job) -> None:
        """Takes a slot. While another record runs alone, no slot is held meanwhile."""
        consumer = self._app.list_consumer
        await self._slots.acquire()
        while job.epoch == consumer.epoch and consumer.quarantine.must_wait(job.tp, job.record.offset):
            self._slots.release()
            await consumer.quarantine.turn.wait()
            await self._slots.acquire()

    def _require_current(self, job: Job) -> None:
        if job.epoch != self._app.list_consumer.epoch or not self._app.flowing:
            raise Abandoned

    async def _attempt(self, job: Job) -> Exception | None:
        """One try. None: the job is finished, one way or the other."""
        try:
            if not job.decoded:
                job.value = self._stage.decode(job.record)
            work = _own(self._stage.function(job.value, self._scope(job)))
            records = await self._marked(job, work)
            job.outputs = [(record, job.record) for record in checked(list(records))]
        except Abandoned:
            self._undo(job)
            self._end(job)
            raise
        except Exception as error:
            self._undo(job)
            if not self._is_last(job, error):
                return error
            try:
                await self._last_word(job, error)
            except Unavailable as away:
                return away
            self._give_up(job, error)
        else:
            self._went_through(job)
            self._finish(job)
        return None

    def _marked(self, job: Job, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Its code runs under the record's name, which whoever comes after a crash will read."""
        return self._app.running_mark.run(job.tp, job.record.offset, work)

    def _is_last(self, job: Job, error: Exception) -> bool:
        job.attempts += 1
        if job.attempts == 1:
            self.breaker.failed(error)
        if not self.breaker.holds(error):
            return self._app.retries.gives_up(error, job.attempts)
        return False

    def _went_through(self, job: Job) -> None:
        if job.attempts:
            self.breaker.recovered(exhausted=job.attempts >= self._app.retries.attempts)
        else:
            self.breaker.tried(1)

    def _scope(self, job: Job) -> Scope:
        app, partition = self._app, job.tp.partition
        views = {
            name: TableView(name, partition, store.partition(partition), app.pending.rows(name, partition), job.journal)
            for name, store in app.table_stores.items()
        }
        return Scope(
            job.record,
            views,
            wait=partial(self._wait, job),
            persist=partial(self._persist, job),
            publish=partial(self._publish, job),
            owned=partial(self._owned, job),
            when_committed=partial(app.list_consumer.when_committed, job.tp, job.record.offset, job.epoch),
            attempt=job.attempts,
        )

    def _owned(self, job: Job) -> bool:
        """`Scope.owned`: also while partitions are about to move, since that waits for what is in hand."""
        consumer = self._app.list_consumer
        return job.epoch == consumer.epoch and consumer.lease.valid

    async def _wait(self, job: Job, seconds: float) -> None:
        """`Scope.wait`: neither a slot nor a rebalance is held up meanwhile."""
        self._end(job)
        self._slots.release()
        try:
            await self._pause(job, seconds)
        finally:
            await self._enter(job)
            self._begin(job)
        self._require_current(job)  # partitions may have moved while it waited for a slot

    async def _persist(self, job: Job) -> None:
        """`Scope.persist`."""
        marks = list(job.journal)
        job.journal.clear()
        await self._commit_now([], marks)

    async def _publish(self, job: Job, records: Iterable[Record]) -> None:
        """`Scope.publish`."""
        await self._commit_now([(record, job.record) for record in checked(list(records))], [])

    async def _commit_now(self, outputs: list[Output], marks: list[Mark]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def accept() -> None:
            if not done.done():
                done.set_result(None)

        def refuse() -> None:
            if not done.done():
                done.set_exception(OversizeRecord("the broker takes no record of this size"))

        self._enqueue(Commit(outputs, marks, accept, refuse))
        await done

    def _tried(self, tp: TP, due: float = 0.0) -> None:
        """Tells liveness. What is tried again in place is alive: a restart would not help."""
        self._app.list_consumer.progress.tried(tp, due)

    def _survived(self, job: Job) -> None:
        """It has run, and the process lives. Offsets of an earlier epoch are nobody's."""
        consumer = self._app.list_consumer
        if job.epoch == consumer.epoch:
            consumer.quarantine.settled(job.tp, job.record.offset)

    async def _pause(self, job: Job, seconds: float) -> None:
        self._tried(job.tp, seconds)
        if self.breaker.open:  # it is the probe
            self._app.list_consumer.progress.waits(self.source, seconds)
        job.waits = True
        for each in self._parked_with(job):
            self._survived(each)
        suspended = self._app.list_consumer.suspend_flow
        try:
            await asyncio.wait_for(suspended.wait(), seconds)
        except TimeoutError:
            return
        raise Abandoned

    def _is_kept_back(self, job: Job) -> bool:
        """Whether it does not run before a record in front of it does, which waits: that may take hours."""
        front = job.lane[0]
        return front is not job and (front.waits or self._app.list_consumer.quarantine.runs_alone)

    def _parked_with(self, job: Job) -> Iterable[Job]:
        """The job, which waits, and those that wait behind it, where that matters."""
        if self._app.list_consumer.quarantine.suspects and job.lane and job.lane[0] is job:
            return tuple(job.lane)
        return (job,)

    async def _last_word(self, job: Job, error: Exception) -> None:
        """Goes out before the dead letter, so that its own failure keeps nothing."""
        if self._stage.last_word is not None and job.decoded:
            try:
                work = _own(self._stage.last_word(job.value, self._scope(job), error))
                await self._publish(job, await self._marked(job, work))
            except Unavailable:
                raise
            except Exception as worse:
                about = {"stage": self._stage.name, "error": type(worse).__name__, "raised_at": raised_at(worse)}
                _LOGGER.warning("no last word goes out with a dead letter", **about)

    def _give_up(self, job: Job, error: Exception) -> None:
        job.dead = True
        job.outputs = [(dead_letter(job.record, self._stage.name, error, max(job.attempts, 1)), job.record)]
        self._finish(job)

    def _undo(self, job: Job) -> None:
        undo(job.journal, 0, self._app.pending)

    # Finishing

    def _finish(self, job: Job) -> None:
        self._enqueue(Commit(job.outputs, job.journal, partial(self._let_go, job), partial(self._refused, job)))

    def _refused(self, job: Job) -> None:
        """The broker takes no output of this size: a dead letter, and if it is one already, once more later."""
        record = job.outputs[0][0]
        if job.dead:
            self.unburied.tell(record, job.record)
            self._tasks.create_task(self._finish_later(job, refused(record)))
        else:
            self._undo(job)
            self._give_up(job, refused(record))

    async def _finish_later(self, job: Job, error: Exception) -> None:
        job.attempts += 1
        delay = self._app.retries.delay(error, job.attempts)
        self._app.list_consumer.progress.began(job, job.tp, delay)
        try:
            await self._pause(job, delay)
        except Abandoned:
            self.unburied.settle(job.record)
            self._end(job)
        else:
            self._finish(job)

    def _enqueue(self, work: Commit) -> None:
        self._commits.append(work)
        self._some_commits.set()

    async def _commit_forever(self) -> None:
        while True:
            await self._some_commits.wait()
            self._some_commits.clear()
            commits, self._commits = self._commits, []
            await self._commit(commits)

    async def _commit(self, commits: list[Commit]) -> None:
        started = time.monotonic()
        draft = self._app.publisher.draft(output for work in commits for output in work.outputs)
        bad = {id(source) for _, source in await commit(self._app, draft, partial(_marks, commits))}
        for work in commits:
            if bad and work.hit_by(bad):
                work.refused()
            else:
                work.then()
        BATCH_SECONDS.labels(self._app.conf.id).observe(time.monotonic() - started)
        self._room.set()

    def _let_go(self, job: Job) -> None:
        RECORDS.labels(self._app.conf.id, "dead" if job.dead else "done").inc()
        if job.dead:
            self.unburied.settle(job.record)
        if job.epoch == self._epoch:
            position = self._trackers[job.tp].finish(job.record.offset)
            if position is not None:
                self._app.list_consumer.done(job.tp, position, job.epoch)
        self._survived(job)
        self._end(job)

    # A rebalance waits while anything is between `_begin` and `_end`.

    def _begin(self, job: Job) -> None:
        job.waits = False
        self._app.list_consumer.progress.began(job, job.tp)
        self._working += 1
        if self._busy is None:
            self._busy = self._app.list_consumer.begin()

    def _end(self, job: Job) -> None:
        self._app.list_consumer.progress.ended(job)
        self._working -= 1
        if not self._working and self._busy is not None:
            self._app.list_consumer.finish(self._busy)
            self._busy = None


def _marks(commits: Sequence[Commit], refused: Sequence[Output]) -> list[Mark]:
    bad = {id(source) for _, source in refused}
    return [mark for work in commits if not (bad and work.hit_by(bad)) for mark in work.marks]


async def _own(work: Awaitable[T]) -> T:
    """The result of a stage's work. If something that it awaits is cancelled, that is its failure, not our end."""
    try:
        return await work
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise RuntimeError("something that the stage awaited was cancelled") from error
