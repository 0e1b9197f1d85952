"""A refused command: it fails before the call, says why, and nothing that is unknown refuses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.errors import RetryAfter
from pipeline.messenger.command_state import CommandPhase, CommandState
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.executor import FRESH, CommandExecutor
from pipeline.messenger.refusals import Refusal
from pipeline.messenger.slots import SlotBounds
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from pipeline.topics.refusals import RefusalReason
from tests.unit.messenger.test_executor import Outside, _command, _tenants

REFUSED = Refusal(RefusalReason.OUTSIDE_SERVICE_WINDOW)


async def _execute(
    outside: Outside, command: Command, check: Callable[[float], Refusal | None], behind: float
) -> Outcome | None:
    dispatcher = Dispatcher({"cloud": outside}, _tenants(), SlotBounds(1, 1, 1))

    def watermark(_: Command) -> float:
        return outside.now - behind

    executor = CommandExecutor(dispatcher, 60, watermark, now=lambda: outside.now)
    try:
        return await executor.execute(command, outside, outside, check)
    finally:
        await dispatcher.close()


def _live(
    outside: Outside,
    check: Callable[[float], Refusal | None] = lambda _: REFUSED,
    behind: float = 0.0,
    command: Command | None = None,
) -> Outcome:
    """A process tries until there is an outcome."""
    for _ in range(1000):
        try:
            outcome = asyncio.run(_execute(outside, command or _command(), check, behind))
        except RetryAfter as error:
            outside.now += error.delay
            outside.restart()
            continue
        assert outcome is not None
        return outcome
    raise AssertionError("it never ended")


def _aged(outside: Outside, seconds: float) -> Command:
    outside.now += seconds
    return _command()


def test_a_refused_command_fails_without_a_call() -> None:
    """The provider would be called for nothing, and the consumer not hear why it failed."""
    outside = Outside()
    outcome = _live(outside, command=_aged(outside, 2 * FRESH))
    assert outside.calls == 0
    assert (outcome.status, outcome.reason, outcome.error_code) == ("failed", "outside_service_window", None)
    assert outcome.error_message == "its recipient has not written within the service window: send a template"
    assert asyncio.run(_execute(outside, _command(), lambda _: None, 0)) is None, "it has its outcome"


def test_who_may_be_sent_to_is_called() -> None:
    """Nothing would be sent any more."""
    outside = Outside()
    assert _live(outside, check=lambda _: None).status is OutcomeStatus.ACCEPTED
    assert outside.calls == 1


def test_a_window_that_ends_while_the_command_waits_refuses_it() -> None:
    """A command that waits long for its account's permit would be called after the window."""
    outside, answers = Outside(), iter([None, REFUSED, REFUSED])
    outcome = _live(outside, check=lambda _: next(answers), command=_aged(outside, 2 * FRESH))
    assert (outside.calls, outcome.reason) == (0, "outside_service_window")


def test_an_answer_is_not_refused_before_the_question_is_known() -> None:
    """A reply overtakes the note that its person has just written, and would be refused for that."""
    outside, asked = Outside(), list[float]()

    def check(now: float) -> Refusal | None:
        asked.append(now)
        return REFUSED if len(asked) < 3 else None

    assert _live(outside, check, behind=5.0).status is OutcomeStatus.ACCEPTED
    assert outside.calls == 1


@pytest.mark.parametrize("age", [0.0, 3600.0])
def test_while_intake_is_behind_nobody_is_refused(age: float) -> None:
    """An intake with a backlog would have every answer refused to people who have just written."""
    outside = Outside()
    outcome = _live(outside, behind=7200.0, command=_aged(outside, age))
    assert (outcome.status, outside.calls) == (OutcomeStatus.ACCEPTED, 1)


def test_what_may_have_been_sent_is_not_called_failed() -> None:
    """A message that arrived would be reported as refused."""
    outside = Outside()
    again = CommandState(CommandPhase.RETRY, outside.now, resends=1)
    outside.durable["cmd-1"] = again.encode()
    outcome = _live(outside, command=_aged(outside, 7200))
    assert (outcome.status, outside.calls) == (OutcomeStatus.ACCEPTED, 1)


def test_outcomes_carry_campaign_and_tags() -> None:
    """A consumer could not tell which campaign fails before it is sent."""
    outside, told = Outside(), dict[str, Any](campaign="spring", tags=("vip",))
    command = _command(CommandKind.TEXT).model_copy(update=told)
    outside.now += 2 * FRESH
    assert _live(outside, command=command).model_dump(include={"campaign", "tags"}) == told
