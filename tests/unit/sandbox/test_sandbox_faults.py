"""The sandbox's faults."""

from __future__ import annotations

import asyncio

from pipeline.sandbox.faults import Faults, FaultsRequest
from pipeline.sandbox.limits import SandboxLimits
from pipeline.sandbox.statuses import DEFAULT_STEPS, failing
from tests.support.waiting import HANG


def faults(**asked: object) -> Faults:
    made = Faults(SandboxLimits(), DEFAULT_STEPS)
    made.update(FaultsRequest.model_validate(asked))
    return made


def test_an_error_hits_as_often_as_it_is_told() -> None:
    """A test of three failures and a success would see two or four."""
    made = faults(errors=[{"code": 131000, "times": 3}])
    hits = [made.error("1", "2") for _ in range(5)]
    assert [hit is not None for hit in hits] == [True, True, True, False, False]


def test_an_error_without_times_hits_once_and_null_hits_always() -> None:
    """A permanent outage could not be told from a hiccup."""
    once = faults(errors=[{"code": 1}])
    assert [once.error("1", "2") is not None for _ in range(2)] == [True, False]
    always = faults(errors=[{"code": 1, "times": None}])
    assert all(always.error("1", "2") for _ in range(100))


def test_an_aimed_error_hits_only_its_recipient_and_account() -> None:
    """A fault for one person would break the messages of everybody in the same test."""
    made = faults(errors=[{"code": 131047, "to": "15550001111", "account": "7"}])
    assert made.error("7", "15550002222") is None
    assert made.error("8", "15550001111") is None
    assert made.error("7", "15550001111") is not None


def test_what_is_not_named_stays_as_it_was() -> None:
    """Setting a latency would lift the errors that a test set just before."""
    made = faults(errors=[{"code": 131000, "times": None}], limits={"pair": "strict"})
    made.update(FaultsRequest.model_validate({"latency": 0.2, "limits": {"messages_per_second": None}}))
    assert made.current.latency == 0.2
    assert made.current.errors[0].code == 131000
    assert made.current.limits == SandboxLimits(messages_per_second=None, pair="debt")
    assert made.current.statuses == DEFAULT_STEPS


def test_a_reset_brings_back_what_the_sandbox_started_with() -> None:
    """One test's faults would leak into the next."""
    made = faults(latency=1, unreachable=["15550001111"], statuses=[], limits={"messages_per_second": None})
    made.reset()
    assert made.current == FaultsRequest(limits=SandboxLimits(), statuses=DEFAULT_STEPS)


def test_a_latency_of_two_figures_is_between_them() -> None:
    """A load at 100 to 300 ms would run at one of them, or beyond both."""
    assert faults(latency=0.2).latency() == 0.2
    drawn = [faults(latency=0.1, latency_max=0.3).latency() for _ in range(100)]
    assert all(0.1 <= each <= 0.3 for each in drawn)
    assert len(set(drawn)) > 1


def test_a_silence_is_used_up() -> None:
    """After one unanswered message the sandbox would stay silent for good."""
    made = faults(timeout_after_accept={"times": 1, "hold": 3})
    first = made.silence("1", "2")
    assert first is not None
    assert first.hold == 3
    assert made.silence("1", "2") is None


def test_a_reset_ends_a_hold() -> None:
    """A stopped sandbox, or the next test, would wait for connections that are held open."""

    async def reset_while_held() -> None:
        made = faults()
        held = asyncio.create_task(made.delay(2 * HANG))
        await asyncio.sleep(0)
        made.reset()
        await asyncio.wait_for(held, HANG)

    asyncio.run(reset_while_held())


def test_a_failing_message_has_one_status_or_none() -> None:
    """A message that failed would be reported as delivered too, or reported although statuses are off."""
    (failed,) = failing(DEFAULT_STEPS, 131026)
    assert (failed.status, failed.after, failed.code) == ("failed", 0.05, 131026)
    assert failing((), 131026) == ()
