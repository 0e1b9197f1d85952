"""Liveness by partition: what is stuck is found, and what only waits is left alone."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaError
from faust.types import TP

from pipeline.runtime.faust.app import PipelineApp
from pipeline.runtime.faust.consumer import Consumer
from pipeline.runtime.faust.gaps import OffLogPositions
from pipeline.runtime.kafka.lag_metric import LagMetric
from pipeline.runtime.process.lag import PartitionLag
from pipeline.runtime.process.liveness import Liveness, PartitionPosition

TP0, TP1 = TP("in", 0), TP("in", 1)
IDLE, WORKING, DONE = PartitionPosition(5, 5, False), PartitionPosition(5, 5, True), PartitionPosition(5, 9, True)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _ages(*steps: tuple[float, Any]) -> dict[TP, float]:
    """What is known after steps at their times: a position is seen, a number is a try that is due in so long."""
    clock = Clock()
    progress = Liveness(clock)
    for at, step in steps:
        clock.now = 1000.0 + at
        if isinstance(step, PartitionPosition):
            progress.observe(TP0, step)
        elif step is not None:
            progress.record_attempt(TP0, step)
    return progress.stalled_for()


@pytest.mark.parametrize(
    ("steps", "age"),
    [
        (((0, WORKING), (50, WORKING), (90, None)), 90),
        (((0, WORKING), (50, 0.0), (90, None)), 40),
        (((0, WORKING), (50, 3600.0), (90, None)), 0),
        (((0, WORKING), (50, WORKING._replace(committed=6)), (90, None)), 40),
        (((0, IDLE), (500, IDLE), (510, WORKING), (520, None)), 20),
        (((0, DONE), (50, 0.0), (90, 0.0)), 90),
        (((0, DONE), (50, DONE._replace(committed=7)), (90, 0.0)), 40),
    ],
    ids=["stuck", "tried", "due later", "committed", "new work", "done but never committed", "committed a part"],
)
def test_how_long_nothing_was_done(steps: tuple[tuple[float, Any], ...], age: float) -> None:
    """A worker that does nothing any more would never be restarted, or one that waits for Redis again and again."""
    assert _ages(*steps) == {TP0: age}


def test_what_has_nothing_to_do_or_has_gone_has_no_age() -> None:
    """A quiet night, or a partition that another worker has now, would have a worker restarted."""
    assert _ages((0, WORKING), (50, IDLE), (900, None)) == {}
    progress = Liveness(Clock())
    progress.observe(TP0, WORKING)
    progress.observe(TP1, WORKING)
    progress.retain({TP1})
    assert set(progress.stalled_for()) == {TP1}


def test_the_oldest_try_counts_whatever_is_done_about_others_and_whoever_has_its_partition() -> None:
    """A stuck record would be forgotten when another conversation writes, or when its partition moves away."""
    clock = Clock()
    progress = Liveness(clock)
    progress.attempt_started("stuck", TP0)
    clock.now += 50
    progress.attempt_started("quick", TP0)
    progress.attempt_started("elsewhere", TP1, due=30)
    progress.record_attempt(TP0)
    progress.attempt_ended("quick")
    progress.retain(())
    assert progress.running_for() == {TP0: 50, TP1: 0}
    progress.attempt_ended("stuck")
    assert progress.running_for() == {TP1: 0}


def test_no_try_is_too_old_for_the_time_without_a_broker() -> None:
    """A broker that is away for an hour would have every worker restarted, again and again."""
    clock = Clock()
    progress = Liveness(clock)
    progress.attempt_started("waits for the broker", TP0)
    clock.now += 3600
    progress.broker_unreachable()
    clock.now += 5
    assert progress.running_for() == {TP0: 5}


def _app(progress: Liveness, **more: Any) -> Any:
    """A stand-in with all that the app's liveness rests on."""
    conf = SimpleNamespace(id="a-test", broker_session_timeout=25.0, broker_rebalance_timeout=40.0)
    consumer = SimpleNamespace(**{"liveness": progress, "lagging": [], "refused": False, **more})
    return SimpleNamespace(
        started=True,
        should_stop=False,
        kafka_consumer=consumer,
        retentions={},
        conf=conf,
        pipeline=SimpleNamespace(handler_timeout=30.0),
    )


def test_a_try_may_take_as_long_as_a_hook_may() -> None:
    """A worker with slow hooks would be restarted while they do what they are allowed to."""
    clock = Clock()
    progress = Liveness(clock)
    progress.attempt_started("hook", TP0)
    clock.now += 50
    assert PipelineApp.stuck(_app(progress), 10) == {}
    clock.now += 20
    assert PipelineApp.stuck(_app(progress), 10) == {TP0: 70}


@pytest.mark.parametrize(
    ("since", "excused_at", "apart"),
    [(None, 0, None), (1000.0, 0, 70), (1010.0, 0, None), (1000.0, 60, None)],
    ids=["a spare worker", "no place in its group", "a rebalance", "the broker was away"],
)
def test_a_worker_without_a_place_in_its_group_is_found(
    since: float | None, excused_at: float, apart: float | None
) -> None:
    """A hook that swallowed its cancellation would leave a worker that does nothing for good and looks healthy."""
    clock = Clock()
    progress = Liveness(clock)
    if excused_at:
        clock.now += excused_at
        progress.broker_unreachable()
    clock.now = 1070.0
    found: Any = cast(Any, PipelineApp.apart).fget(_app(progress, unassigned_since=since))
    assert found == apart
    waits: Any = cast(Any, PipelineApp.apart).fget(_app(progress, unassigned_since=since, refused=True))
    assert waits is None  # for the workers of an older version


@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("error", [None, KafkaError(), TimeoutError()])
def test_a_broker_that_does_not_answer_excuses_everything(ready: bool, error: Exception | None) -> None:
    """Workers would be restarted for a broker that is away, in the midst of a rebalance too."""
    clock = Clock()
    progress = Liveness(clock)
    progress.attempt_started("hook", TP0)
    progress.observe(TP0, WORKING)
    clock.now += 500

    async def ask() -> None:
        if error:
            raise error

    async def nobody_is_asked() -> None:
        raise AssertionError

    asked, other = (ask, nobody_is_asked) if ready else (nobody_is_asked, ask)
    found: dict[TP, PartitionLag] = {}
    asking = {"lag": lambda _: asyncio.sleep(0, found), "assignment": lambda: {TP0}}
    app = _app(progress, observe=asked, ping_broker=other, lagging=[], **asking)
    app.ready, app._dead_client = ready, lambda: None
    app.conf, app.retentions = SimpleNamespace(id="a-test"), {}
    app.work, app.lag_metric = dict, LagMetric("a-test")
    app._show_parked = app._show_waiting = lambda: None
    asyncio.run(PipelineApp.observe(app))
    assert progress.running_for() == {TP0: 0 if error else 500}
    assert set(progress.stalled_for()) == ({TP0} if ready and not error else set())


@pytest.mark.parametrize(
    ("committed", "taken", "finished", "ends", "behind"),
    [
        (5, 5, None, (5, 5), False),
        (5, 5, None, (5, 9), True),
        (None, None, None, (0, 9), True),
        (None, None, None, (9, 9), False),
        (5, 9, None, (9, 9), True),
        (5, 9, 9, (9, 9), True),
        (8, 8, 8, (9, 9), False),
    ],
    ids=["all done", "not fetched", "never committed", "emptied", "in hand", "not committed", "a marker at the end"],
)
def test_who_is_behind(
    committed: int | None, taken: int | None, finished: int | None, ends: tuple[int, int], behind: bool
) -> None:
    """A stuck partition would look idle, or the mark of a transaction like work that nobody does."""
    position, end = ends
    consumer: Any = object.__new__(Consumer)
    consumer.__dict__.update(
        app=SimpleNamespace(),
        liveness=Liveness(),
        off_log=OffLogPositions(consumer),
        quarantine=SimpleNamespace(held_back=[]),
        _committed_offset={TP0: committed},
        _read_offset={TP0: taken},
        _processed={} if finished is None else {TP0: finished},
        _delivered={},
        assignment=lambda: {TP0},
        highwaters=lambda *_: asyncio.sleep(0, {TP0: end}),
        position=lambda _: asyncio.sleep(0, position),
        _is_changelog_tp=lambda _: False,
    )
    asyncio.run(consumer.observe())
    assert set(consumer.liveness.stalled_for()) == ({TP0} if behind else set())


def test_what_waits_for_another_try_or_for_a_record_that_runs_alone_is_not_stuck() -> None:
    """A worker would be restarted, again and again, for the partitions beside the one that is tried again."""
    clock = Clock()
    progress = Liveness(clock)
    for tp in (TP0, TP1, TP("elsewhere", 0)):
        progress.observe(tp, WORKING)
    clock.now += 90
    progress.record_topic_wait("in", 30)
    assert progress.stalled_for() == {TP0: 0, TP1: 0, TP("elsewhere", 0): 90}
