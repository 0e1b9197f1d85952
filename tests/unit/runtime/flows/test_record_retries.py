"""Retries of a concurrent stage by kind of error, in virtual time: what outlives a blip, what is told at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from pipeline.backoff import STAGE_RETRIES, RetryPauses
from pipeline.errors import BackendUnavailable, RetryAfter, Unavailable, UsageError
from pipeline.runtime.flows.breaker import OFF, Breaker, BreakerConfig
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.fairness import Fairness
from pipeline.runtime.flows.stage import ConcurrentContext, ConcurrentStage
from pipeline.runtime.parking.queue_rows import TABLE
from pipeline.testing import TestRecord
from pipeline.testing.own_time import OwnTime
from pipeline.topics.records import Record
from tests.support.loop_stand_ins import TP0, FakeApp
from tests.unit.runtime.parking.scene import VIRTUAL_HANG, fair_key, record

Play = Callable[[FakeApp, ConcurrentLoop], Awaitable[None]]


class Service:
    """A stage that calls a service: it raises for keys that contain `bad`, while it is away.

    Attributes:
        tries: the times of its tries, by key, in seconds of the event loop.
        done: values of finished records.
    """

    def __init__(self, *errors: Exception, retries: RetryPauses | None = None, until: float = 1e9) -> None:
        self.errors = errors
        self.until = until
        self.tries: dict[str, list[float]] = {}
        self.done: list[str] = []
        pauses = None if retries is None else lambda _: retries
        self.stage = ConcurrentStage(
            "call", self._call, lambda each: each, lambda each: each.key, 10, None, Fairness(key=fair_key), pauses
        )

    async def _call(self, record: Any, _: ConcurrentContext) -> Iterable[Record]:
        now, tries = asyncio.get_running_loop().time(), self.tries.setdefault(record.key.decode(), [])
        tries.append(now)
        if b"bad" in record.key and now < self.until:
            raise self.errors[min(len(tries), len(self.errors)) - 1]
        self.done.append(record.value.decode())
        return [Record("out", record.key, record.value)]

    def pauses(self, key: str = "bad") -> list[float]:
        """Seconds between the tries of a key."""
        return [after - before for before, after in pairwise(self.tries[key])]


async def _until(condition: Callable[[], Any]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.2)


def _play(
    service: Service, records: Sequence[TestRecord], play: Play, *, parks: bool = False, breaker: BreakerConfig = OFF
) -> FakeApp:
    app = FakeApp(tables=[TABLE] if parks else (), retries=STAGE_RETRIES)
    app.group_breaker = lambda _: Breaker(breaker)

    async def run() -> None:
        loop = app.concurrent(service.stage, Breaker(OFF))
        loop.buffer.add(TP0, list(records))
        running = asyncio.ensure_future(loop.run())
        try:
            async with asyncio.timeout(VIRTUAL_HANG):
                await play(app, loop)
        finally:
            running.cancel()
            await asyncio.wait([running])

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(run())
    return app


async def _is_over(app: FakeApp, _: ConcurrentLoop) -> None:
    await _until(lambda: app.publisher.letters + app.publisher.published)


def _within(pauses: Sequence[float], expected: Sequence[float]) -> bool:
    """True if each pause is the expected one and up to a quarter more."""
    return len(pauses) == len(expected) and all(
        least <= pause <= least * 1.26 for pause, least in zip(pauses, expected, strict=True)
    )


@pytest.mark.parametrize("error", [ConnectionRefusedError("no"), TimeoutError()], ids=repr)
def test_an_io_error_is_a_letter_only_after_minutes(error: Exception) -> None:
    """The restart of a bot's own database would make dead letters of the messages that came meanwhile."""
    service = Service(error)
    app = _play(service, [record("bad", 1, 0)], _is_over)
    assert app.publisher.letters == [b"bad 1"]
    assert _within(service.pauses(), (1, 5, 30, 120))


@pytest.mark.parametrize("error", [TypeError(), KeyError("menu"), AttributeError(), AssertionError()], ids=repr)
def test_a_fault_of_the_program_is_a_letter_within_a_second(error: Exception) -> None:
    """An author would wait minutes to hear of a typing error, and so would the user."""
    service = Service(error)
    app = _play(service, [record("bad", 1, 0)], _is_over)
    assert app.publisher.letters == [b"bad 1"]
    assert len(service.tries["bad"]) == 4
    assert sum(service.pauses()) < 1


def test_what_is_unavailable_is_called_less_and_less_often_without_end() -> None:
    """A dead service would be called ten times a second, or a message lost because it was away for an hour."""
    service = Service(Unavailable("the till does not answer"), until=3600)
    app = _play(service, [record("bad", 1, 0)], _is_over)
    assert (app.publisher.letters, service.done) == ([], ["bad 1"])
    assert _within(service.pauses()[:4], (1, 5, 30, 120))
    assert _within(service.pauses()[4:], [120] * len(service.pauses()[4:]))


def test_the_pipelines_own_store_is_asked_again_at_once() -> None:
    """Every conversation would stand still for minutes after Redis was away for one."""
    service = Service(BackendUnavailable("Redis does not answer"), until=60)
    _play(service, [record("bad", 1, 0)], _is_over)
    assert service.pauses()[0] <= 0.1
    assert max(service.pauses()) <= 30


def test_a_service_that_names_a_time_is_not_asked_before() -> None:
    """A service that throttles would be called in spite of what it said."""
    service = Service(RetryAfter("throttled", 7), until=20)
    _play(service, [record("bad", 1, 0)], _is_over)
    assert [round(pause) for pause in service.pauses()] == [7, 7, 7]


def test_failures_of_one_kind_use_up_no_try_of_another() -> None:
    """A message that outlived an outage would be given up at the first conflict or fault behind it."""
    service = Service(*[TimeoutError()] * 4, *[RuntimeError("a bug")] * 4)
    app = _play(service, [record("bad", 1, 0)], _is_over)
    assert app.publisher.letters == [b"bad 1"]
    assert len(service.tries["bad"]) == 8


def test_a_handler_has_pauses_of_its_own() -> None:
    """A bot that must answer within seconds, or one whose service restarts for an hour, could not say so."""

    class TillAway(Exception):
        """An error of the author's own client."""

    service = Service(TillAway(), retries=RetryPauses(io_errors=(2, 3), other_errors=(7,), also_io=(TillAway,)))
    _play(service, [record("bad", 1, 0)], _is_over)
    assert _within(service.pauses(), (2, 3))
    service = Service(KeyError(), retries=RetryPauses(io_errors=(2, 3), other_errors=(7,)))
    _play(service, [record("bad", 1, 0)], _is_over)
    assert _within(service.pauses(), (7,))


@pytest.mark.parametrize("pause", [0, -1, 4000, float("nan")])
def test_pauses_that_make_no_sense_are_refused(pause: float) -> None:
    """A worker would call a service without a pause, or a conversation stand still for a day."""
    with pytest.raises(UsageError, match="between tries"):
        RetryPauses(io_errors=(pause,))


def test_a_conversation_that_waits_for_long_is_parked_and_keeps_its_order() -> None:
    """A message that waits two minutes would keep the offsets behind it, or be overtaken by the next one."""
    service = Service(TimeoutError(), until=100)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record("good", n, n) for n in range(2, 6)])
        await _until(lambda: len(service.tries.get("bad", ())) == 4)
        await _until(loop.parked.sizes)
        assert app.assignment.positions[TP0] == 6
        assert [value for value in service.done if value.startswith("bad")] == []
        await _until(lambda: len(service.done) == 6)

    app = _play(service, [record("bad", 0, 0), record("bad", 1, 1)], play, parks=True)
    assert [value for value in service.done if value.startswith("bad")] == ["bad 0", "bad 1"]
    assert _within(service.pauses()[:3], (1, 5, 30))
    assert len(service.tries["bad"]) <= 6
    assert app.publisher.letters == []


def test_many_conversations_that_wait_for_long_hold_up_no_other_tenant() -> None:
    """They would fill the window, and other tenants' messages wait for minutes behind them."""
    service = Service(TimeoutError(), until=100)
    many = [record(f"bad/{n}", 0, n) for n in range(900)]

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(f"good/{n % 20}", n, 900 + n) for n in range(300)])
        await _until(lambda: len(service.done) >= 300)
        assert asyncio.get_running_loop().time() < 100
        await _until(lambda: len(service.done) == 1_200 and not app.stores[TABLE].partition(0))

    app = _play(service, many, play, parks=True)
    assert app.publisher.letters == []


def test_a_tenant_whose_service_is_away_is_probed_and_loses_nothing() -> None:
    """Its whole day would be dead letters, or it would wait two minutes more than its service did."""
    service = Service(ConnectionRefusedError(), until=1_000)
    records = [record(f"bad/{n % 70}", n, n) if n % 2 else record(f"good/{n % 5}", n, n) for n in range(400)]

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        await _until(lambda: len(service.done) == 200)
        assert loop.breakers.open_groups == {"bad": "ConnectionRefusedError"}
        await _until(lambda: len(service.done) == 400)
        assert asyncio.get_running_loop().time() < 1_100

    app = _play(service, records, play, parks=True, breaker=BreakerConfig(consecutive=10, failure_rate=0))
    assert app.publisher.letters == []
    late = [at for tries in service.tries.values() for at in tries if 300 < at < 1_000]
    assert 20 < len(late) < 80, "one record is tried, every 15 to 30 seconds"
