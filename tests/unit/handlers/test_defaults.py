"""The default handlers: what is counted, what is logged, and what never is."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from pipeline.handlers.defaults import (
    DefaultErrorHandler,
    DefaultHandlerFactory,
    DefaultMessageHandler,
    DefaultStatusHandler,
    ErrorLogStrategy,
    LogLevel,
    MessageLogStrategy,
    StatusLogStrategy,
)
from pipeline.handlers.defaults.base import DefaultHandler, E
from pipeline.handlers.defaults.sensitive import is_sensitive, masked
from tests.support import handlers_for_tests as handlers
from tests.support.handler_events import error, status, text, unknown

CARD = "4111 1111 1111 1111"


def lines(default: DefaultHandler[E], *events: E) -> list[dict[str, object]]:
    """What the log says of these events."""
    told: list[dict[str, object]] = []
    for event in events:
        default.count(event)
        entry = default.entry(event)
        if entry is not None:
            told.append({**entry, "level": default.level(event).value})
    return told


@pytest.mark.parametrize(
    ("strategy", "count"),
    [("all", 200), ("summarized", 200), ("filtered", 1), ("stats_only", 2), ("none", 0)],
)
def test_strategies_for_messages(strategy: str, count: int) -> None:
    """If a strategy logged more than it says, a busy number would fill the disk; if it counted less, statistics lie."""
    default = DefaultMessageHandler(MessageLogStrategy(strategy))
    told = lines(default, *(text(f"card {CARD}" if number == 7 else "hi") for number in range(200)))
    assert len(told) == count
    assert CARD not in str(told)
    stats = default.get_stats()
    assert (stats["total_messages"], stats["sensitive_content_detected"]) == (200, 1)


def test_a_preview_is_asked_for_and_masked() -> None:
    """If the log showed what users write without being asked to, everybody who reads logs would read their messages."""
    secret = f"my card is {CARD}, write to ana@example.com"
    assert "my card" not in str(lines(DefaultMessageHandler(MessageLogStrategy.ALL), text(secret)))
    (shown,) = lines(DefaultMessageHandler(content_preview_length=100), text(secret))
    assert shown["preview"] == "my card is ***, write to ***"
    (open_,) = lines(DefaultMessageHandler(content_preview_length=7, mask_sensitive_data=False), text(secret))
    assert open_["preview"] == "my card"


@pytest.mark.parametrize(
    ("words", "sensitive"),
    [
        (CARD, True),
        ("+1 (555) 123-4567", True),
        ("ana.b+c@mail.example.org", True),
        ("order 1234567", False),
        ("it costs 12.50 or 13.50", False),
        ("a@b", False),
        ("", False),
    ],
)
def test_personal_data_is_guessed(words: str, sensitive: bool) -> None:
    """If a card number passed, it would stay in the logs for as long as these are kept."""
    assert is_sensitive(words) is sensitive
    assert masked(words) == ("***" if sensitive and words[0] != "+" else masked(words))


def test_guessing_takes_no_time() -> None:
    """If some text made the guess slow, one user could stop a worker with a message."""
    started = time.process_time()
    for words in ("1" * 65_000, "1 " * 30_000, "a." * 30_000, "a@" * 30_000, "a" * 60_000 + "@", "(" * 60_000):
        masked(words)
    assert time.process_time() - started < 20, "the processor's seconds: if it grew faster than the text, minutes"


@pytest.mark.parametrize(
    ("strategy", "shown"),
    [
        (StatusLogStrategy.ALL, ["sent", "delivered", "failed"]),
        (StatusLogStrategy.IMPORTANT_ONLY, ["delivered", "failed"]),
        (StatusLogStrategy.FAILURES_ONLY, ["failed"]),
        (StatusLogStrategy.NONE, []),
    ],
)
def test_strategies_for_statuses(strategy: StatusLogStrategy, shown: list[str]) -> None:
    """If failures were hidden among receipts, nobody would see that messages do not arrive."""
    default = DefaultStatusHandler(strategy)
    told = lines(default, *(status(value) for value in ("sent", "delivered", "failed")))
    assert [line["status"] for line in told] == shown
    assert [line["level"] for line in told if line["status"] == "failed"] == ["warning"] * shown.count("failed")
    assert default.get_stats()["total_processed"] == 3


@pytest.mark.parametrize(
    ("strategy", "codes"),
    [
        (ErrorLogStrategy.ALL, ["190 error 190", "131000 error 131000", "100 error 100"]),
        (ErrorLogStrategy.ERRORS_ONLY, ["190 error 190", "100 error 100"]),
        (ErrorLogStrategy.CRITICAL_ONLY, ["190 error 190"]),
        (ErrorLogStrategy.SUMMARY_ONLY, ["190 error 190"]),
    ],
)
def test_strategies_for_errors(strategy: ErrorLogStrategy, codes: list[str]) -> None:
    """If an expired token were not in the log, the number would be silent until somebody asks why."""
    (line,) = lines(DefaultErrorHandler(strategy), error(190, 131000, 100))
    assert (line["errors"], line["count"]) == (codes, 3)


def test_errors_that_pile_up_are_escalated() -> None:
    """If the fifth error in a minute looked like the first, an outage would be one line among many."""
    default = DefaultErrorHandler(escalation_threshold=3)
    told = lines(default, *(error(131000) for _ in range(4)))
    assert [line["level"] for line in told] == ["warning", "warning", "error", "error"]
    assert default.get_stats()["escalated_errors"] == 2
    grave = DefaultErrorHandler()
    assert [line["level"] for line in lines(grave, error(190), error(190))] == ["warning", "error"]
    past = DefaultErrorHandler(escalation_threshold=2, escalation_window_minutes=-1)
    assert [line["level"] for line in lines(past, *(error(131000) for _ in range(4)))] == ["warning"] * 4


def test_a_handler_counts_and_logs_with_what_it_is_given(caplog: pytest.LogCaptureFixture) -> None:
    """If `configure_default_handlers` changed nothing, an application's own counting would stay at zero."""
    handler = handlers.Everything()
    mine = DefaultMessageHandler(log_level=LogLevel.WARNING)
    handler.configure_default_handlers(mine, system_handler=DefaultHandlerFactory.create_production_system_handler())
    with caplog.at_level(logging.WARNING):
        with pytest.raises(Exception, match="no event is active"):
            asyncio.run(handler.handle(text()))
        asyncio.run(handlers.NoSuper().handle(text()))
    assert mine.get_stats()["handler_failures"] == handler.get_message_stats()["handler_failures"] == 1
    default = DefaultHandlerFactory.create_development_system_handler()
    default.record_success(unknown(), 0.1)
    assert default.get_stats()["total_events"] == 1
    mine.record_success(text("secret words"), 0.1)
    assert "event_handled" in caplog.text
    assert "secret words" not in caplog.text


@pytest.mark.parametrize("occasion", ["production", "development"])
def test_the_factory_makes_all_of_them(occasion: str) -> None:
    """If one were missing, the application that asks for it would not start."""
    for kind in ("message", "status", "error", "system"):
        made = getattr(DefaultHandlerFactory, f"create_{occasion}_{kind}_handler")()
        assert isinstance(made, DefaultHandler)
        assert made.get_stats()["handler_failures"] == 0
