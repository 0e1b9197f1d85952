"""What is told of failures: where a hook failed, and which sends were refused although nobody looked."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.agents.handle import handle
from pipeline.backoff import RetryPauses
from pipeline.errors import ConfigurationError
from pipeline.handlers import EventHandler, SendResult
from pipeline.handlers.results import RefusedSend
from pipeline.handlers.runner import HandlerRunner
from pipeline.logging import configure
from pipeline.state import MemoryStore
from pipeline.testing import HandlerDriver, TestRecord, TopologyTestDriver, incoming_text
from pipeline.topics.dead_letters import DeadLetter, parse_dead_letter
from pipeline.topics.events import MessageEvent
from tests.support.handler_events import settings, tenants, text

SECRET = "meet me at the harbour"
Lines = list[dict[str, Any]]


class Faulty(EventHandler):
    """A hook with a fault, which quotes the user."""

    async def process_message(self, webhook: MessageEvent) -> None:
        raise KeyError(webhook.get_message_text())


class Slow(EventHandler):
    """A hook that waits for longer than it may."""

    timeout = 0.001
    retries = RetryPauses(io_errors=())

    async def process_message(self, webhook: MessageEvent) -> None:
        await asyncio.sleep(60)


class Careless(EventHandler):
    """A bot whose author looks at no result."""

    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_text("x" * 5_000, webhook.user.user_id)
        await self.messenger.send_text("fine", webhook.user.user_id)


class Careful(EventHandler):
    """A bot whose author looks."""

    async def process_message(self, webhook: MessageEvent) -> None:
        result = await self.messenger.send_text("x" * 5_000, webhook.user.user_id)
        if not result.success:
            await self.messenger.send_text("That was too long.", webhook.user.user_id)


def _logged(caplog: pytest.LogCaptureFixture, event: str) -> Lines:
    found = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in found if line["event"] == event]


def _letter(kind: type[EventHandler]) -> DeadLetter:
    async def runner() -> HandlerRunner:
        return HandlerRunner(settings(f"{__name__}.{kind.__name__}"), tenants(), MemoryStore())

    driver, event = TopologyTestDriver(handle(asyncio.run(runner()), 10)), text(SECRET)
    headers = (("tenant", b"acme"), ("event-id", event.event_id.encode()), ("event-type", b"message"))
    driver.pipe(TestRecord(event.model_dump_json().encode(), b"k", headers, "events.default", 3, 17))
    (dead,) = driver.dead_letters
    found = parse_dead_letter(TestRecord.of(dead))
    assert isinstance(found, DeadLetter)
    return found


def test_every_attempt_and_the_letter_name_the_line_of_the_hook(caplog: pytest.LogCaptureFixture) -> None:
    """An author would know that a message failed, and neither where nor for whom."""
    letter = _letter(Faulty)
    place = next(n for n, line in enumerate(Path(__file__).read_text().split("\n"), 1) if "raise KeyError(" in line)
    where = f"tests/unit/handlers/test_failures_told.py:{place} process_message"
    assert letter.raised_at == where
    assert [name for name, _ in letter.headers] == ["tenant", "event-id", "event-type"]
    attempts, (last,) = _logged(caplog, "attempt_failed"), _logged(caplog, "record_dead_lettered")
    assert [line["attempts"] for line in (*attempts, last)] == [1, 2, 3, 4]
    for line in (*attempts, last):
        assert (line["error"], line["raised_at"], line["tenant"]) == ("KeyError", where, "acme")
        assert line["event_id"]
        assert (line["topic"], line["partition"], line["offset"]) == ("events.default", 3, 17)


def test_no_line_quotes_the_user(caplog: pytest.LogCaptureFixture) -> None:
    """Messages of customers would be in the logs of a company, and in whatever collects them."""
    _letter(Faulty)
    assert caplog.records
    assert SECRET not in caplog.text


def test_on_a_developers_machine_the_message_is_told(tmp_path: Path) -> None:
    """An author would read `KeyError` without the key, and search for it."""
    file = tmp_path / "failures.log"
    try:
        configure("json", failures=file)
        _letter(Faulty)
    finally:
        configure("json")
    lines = [orjson.loads(line) for line in file.read_text().splitlines()]
    assert {line["event"] for line in lines} == {"attempt_failed", "record_dead_lettered"}
    assert all(SECRET in line["message"] for line in lines)


def test_a_timeout_names_the_line_at_which_the_hook_waited() -> None:
    """Every slow hook would be told to be at the runtime's own timer."""
    assert _letter(Slow).raised_at.endswith(" process_message")


def test_a_refused_send_that_nobody_looks_at_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A text that is too long would vanish without a line, and its user wait for an answer."""
    driver = HandlerDriver(Careless())
    driver.handle(incoming_text("hi"))
    (line,) = _logged(caplog, "send_refusal_unread")
    assert driver.texts == ["fine"]
    assert (line["kind"], line["code"], line["tenant"]) == ("text", "VALIDATION", "acme")
    assert "5000 characters" in line["reason"]
    assert line["raised_at"].startswith("tests/unit/handlers/test_failures_told.py:")
    assert "xxx" not in caplog.text


def test_a_result_that_was_looked_at_is_nobody_elses_business(caplog: pytest.LogCaptureFixture) -> None:
    """A careful bot would fill the log with warnings of what it has handled."""
    driver = HandlerDriver(Careful())
    driver.handle(incoming_text("hi"))
    assert driver.texts == ["That was too long."]
    assert _logged(caplog, "send_refusal_unread") == []


def test_a_refused_result_is_like_any_other_but_for_that() -> None:
    """A test or a log line of an author would break on the results of refused sends only."""
    plain = SendResult(False, "15550001111", error="too long", error_code="VALIDATION")
    assert RefusedSend(plain, "text", "bot.py:1").take_unread() == ("VALIDATION", "too long")
    for look in (repr, asdict, copy.copy, lambda result: result == plain, lambda result: result.command_id):
        refused = RefusedSend(plain, "text", "bot.py:1")
        assert isinstance(refused, SendResult)
        look(refused)
        assert refused.take_unread() is None
    assert RefusedSend(plain, "text", "bot.py:1") == plain
    assert hash(RefusedSend(plain, "text", "bot.py:1")) == hash(plain)


class Misconfigured(Faulty):
    """A handler whose author guessed the form of `retries`."""

    retries = (1, 5)  # type: ignore[assignment]


def test_retries_of_another_form_are_found_before_the_first_failure() -> None:
    """The worker would end at the first event that fails, again after every restart."""
    with pytest.raises(ConfigurationError, match="no RetryPauses"):
        HandlerRunner(settings(f"{__name__}.Misconfigured"), tenants(), MemoryStore())
