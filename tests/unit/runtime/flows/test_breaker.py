"""The breaker: it opens where failures are the rule, closes when their cause is gone, and minds nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backoff import RetryPolicy
from pipeline.errors import HandlerTimeout, InvalidRecord, RetryAfter, Unavailable
from pipeline.runtime.flows.breaker import OFF, Breaker, BreakerConfig
from pipeline.runtime.flows.chain import Chain
from pipeline.runtime.flows.stage import Stage, StageContext
from pipeline.runtime.tables.tables import Tables
from pipeline.testing import TestRecord
from pipeline.topics.records import Output, Record

LIMITS = BreakerConfig(consecutive=5, failure_rate=0.5, min_samples=20, window=40)
DOWN = RuntimeError("down")
outcomes = st.lists(st.booleans(), max_size=300)


def _fed(breaker: Breaker, went_through: Iterable[bool]) -> Breaker:
    for good in went_through:
        breaker.succeeded(1) if good else breaker.failed(DOWN)
    return breaker


@pytest.mark.parametrize("error", [DOWN, Unavailable("no Redis"), HandlerTimeout("slow")])
def test_a_run_of_failures_opens_it(error: Exception) -> None:
    """A stage whose database died would make a dead letter of every message of that night."""
    breaker = Breaker(LIMITS)
    for _ in range(4):
        breaker.failed(error)
    assert breaker.cause is None
    breaker.failed(error)
    assert breaker.cause == type(error).__name__


def test_a_high_share_of_failures_opens_it_without_a_run() -> None:
    """A stage of which half the work fails would go on failing, because the other half does not."""
    assert _fed(Breaker(LIMITS), [True, False] * 10).open
    assert not _fed(Breaker(LIMITS), [True, True, False] * 100).open


@pytest.mark.parametrize("error", [InvalidRecord("garbage"), RetryAfter("later", 1.0)])
def test_garbage_and_throttling_never_open_it(error: Exception) -> None:
    """A sender of garbage could stop the stage for everybody, or a provider that throttles make it unready."""
    breaker = Breaker(LIMITS)
    for _ in range(1000):
        breaker.failed(error)
    assert not breaker.open


@given(outcomes)
def test_it_is_open_only_after_a_run_or_with_half_of_enough_failed(went_through: list[bool]) -> None:
    """A few bad messages in good times would stop everybody's."""
    breaker, run = Breaker(LIMITS), 0
    for place, good in enumerate(went_through, 1):
        was_open = breaker.open
        _fed(breaker, [good])
        run = 0 if good else run + 1
        if breaker.open and not was_open:
            recent = went_through[max(0, place - LIMITS.window) : place]
            assert run >= LIMITS.consecutive or (
                place >= LIMITS.min_samples and recent.count(False) >= len(recent) // 4
            )
        if run >= LIMITS.consecutive:
            assert breaker.open


@given(outcomes, st.integers(2 * LIMITS.window, 5_000))
def test_a_batch_of_successes_closes_it_as_single_ones_do(went_through: list[bool], count: int) -> None:
    """Counting per batch, which keeps the hot path fast, would judge another stage than the one that runs."""
    batch, single = _fed(Breaker(LIMITS), went_through), _fed(Breaker(LIMITS), went_through)
    batch.succeeded(count)
    assert batch.open is _fed(single, [True] * count).open is False


@given(outcomes)
def test_the_success_of_what_was_given_up_hope_of_closes_it(went_through: list[bool]) -> None:
    """A stage would stay stopped after its database came back, until somebody looks."""
    breaker = _fed(Breaker(LIMITS), [*went_through, *[False] * 5])
    assert breaker.open
    breaker.recovered(exhausted=True)
    assert not breaker.open


def test_a_second_try_that_works_is_no_failure() -> None:
    """A database that stumbles now and then would stop the stage again and again."""
    breaker = Breaker(LIMITS)
    for _ in range(200):
        breaker.failed(DOWN)
        breaker.recovered(exhausted=False)
        assert not breaker.open


def test_a_first_success_ends_a_run_in_good_times_only() -> None:
    """Bad messages in a row would stop a healthy stage for good; or one lucky record start a dead one."""
    healthy = _fed(Breaker(LIMITS), [*[True] * 30, *[False] * 5])
    assert healthy.open
    assert not _fed(healthy, [True]).open
    dead = _fed(Breaker(LIMITS), [False] * 30)
    assert _fed(dead, [True]).open


def test_with_nothing_in_hand_it_takes_in_again_and_the_next_failure_closes_the_door() -> None:
    """After a rebalance a stopped stage would have no probe left and never go on, or dead-letter a run anew."""
    breaker = _fed(Breaker(LIMITS), [False] * 5)
    breaker.on_idle()
    assert not breaker.open
    assert _fed(breaker, [False]).open


@given(outcomes)
def test_turned_off_it_never_opens(went_through: list[bool]) -> None:
    """Whoever wants dead letters at any rate could not have them."""
    assert not _fed(Breaker(OFF), went_through).open


def test_each_change_is_told_once_and_quotes_nobody() -> None:
    """An operator would learn nothing, or read in a log what a customer wrote."""
    told: list[str | None] = []
    breaker = Breaker(LIMITS, told.append)
    for _ in range(10):
        breaker.failed(ValueError("a customer's words"))
    breaker.recovered(exhausted=True)
    for _ in range(5):
        breaker.failed(Unavailable("Redis does not answer"))
    assert told == ["ValueError", None, "Unavailable: Redis does not answer"]


# In a chain


class Broken:
    """A stage that fails all records with these values until it is mended."""

    def __init__(self, *values: bytes) -> None:
        self.values = values

    def __call__(self, record: Any, _: StageContext) -> Iterable[Record]:
        if record.value in self.values:
            raise DOWN
        return (Record("out", record.key, record.value),)


def _chain(stage: Broken, breaker: Breaker) -> Chain:
    return Chain((Stage("stage", stage),), Tables(), RetryPolicy(max_attempts=3), breaker)


def _records(values: Iterable[bytes]) -> list[TestRecord]:
    return [TestRecord(value, b"key-%d" % offset, offset=offset) for offset, value in enumerate(values)]


def test_a_chain_keeps_what_fails_while_failures_are_the_rule() -> None:
    """What waits for a database would be dead-lettered after three tries, which last a second."""
    stage, breaker = Broken(b"bad"), Breaker(LIMITS)
    chain = _chain(stage, breaker)
    result = chain.run(0, _records([b"bad"] * 8), [])
    for _ in range(10):
        result = chain.retry(0, result.pending, [])
        assert (result.dead, len(result.pending)) == (0, 8)
    stage.values = ()
    outputs: list[Output] = []
    result = chain.retry(0, result.pending, outputs)
    assert (len(outputs), result.pending, breaker.open) == (8, [], False)


def test_bad_records_among_good_ones_are_dead_letters_however_many_a_batch_holds() -> None:
    """Retries come last in a batch: counted there, its bad records would look like a run and stop the stage."""
    breaker = Breaker(LIMITS)
    chain = _chain(Broken(b"bad"), breaker)
    result = chain.run(0, _records(([b"good"] * 9 + [b"bad"]) * 100), [])
    dead = 0
    while result.pending:
        assert not breaker.open
        result = chain.retry(0, result.pending, [])
        dead += result.dead
    assert dead == 100
