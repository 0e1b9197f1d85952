"""Tests for the real stack alone; `test_testing_stack.py` runs them there, beside the ones that run both ways."""

from __future__ import annotations

import pytest

from pipeline.errors import PipelineError, Unavailable, UsageError
from pipeline.testing import HandlerDriver, incoming_text
from pipeline.testing.stack import environment
from tests.unit.handlers.test_both_ways import Clerk


def test_a_driver_is_over_when_the_next_is_made() -> None:
    """Two drivers would count in each other's rows, and their author would search in the handler."""
    first, second = HandlerDriver(Clerk()), HandlerDriver(Clerk())
    for use in (lambda: first.handle(incoming_text("a")), lambda: first.user_data("count"), lambda: first.advance(1)):
        with pytest.raises(UsageError, match="this HandlerDriver is over"):
            use()
    second.handle(incoming_text("a"))
    assert second.texts[0] == "a 1"


def test_a_worker_that_is_stuck_or_dies_is_told_of_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test would hang for ever, or go on with an event that was never finished in its way."""
    driver = HandlerDriver(Clerk(), timeout=30)
    with monkeypatch.context() as patch, pytest.raises(Unavailable, match="its handler raises Unavailable or takes"):
        patch.setattr(environment, "PROGRESS_TIMEOUT", -28.5)  # this one event is given up after 1.5 s
        driver.handle(incoming_text("away"))
    monkeypatch.setenv("CLERK", "Ana")
    driver.handle(incoming_text("name"))
    assert driver.texts[0] == "Ana 1"
    with pytest.raises(PipelineError, match="the worker has ended; its last log line"):
        driver.handle(incoming_text("die"))
