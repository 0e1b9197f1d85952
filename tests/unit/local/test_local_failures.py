"""The failures of the workers on the terminal of `pipeline up`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipeline.line_limit import LineLimit
from pipeline.local.failures import FailureLines
from pipeline.local.ports import Ports
from pipeline.local.report import StackReporter
from pipeline.local.services import services

LETTER = {
    "event": "record_dead_lettered",
    "error": "KeyError",
    "message": "'[menu]'",
    "raised_at": "my_shop/bot.py:42 process_message",
    "tenant": "acme",
    "attempts": 4,
    "topic": "events.default",
    "partition": 3,
    "offset": 17,
}
ATTEMPT = LETTER | {"event": "attempt_failed", "error": "ConnectionError", "attempts": 1, "next_try_seconds": 1.2}


def _shown(*failures: dict[str, Any] | str) -> str:
    screen = io.StringIO()
    report = StackReporter(Console(file=screen, width=40), Ports(), Path("/data"))
    report.failed("handlers", [each if isinstance(each, str) else json.dumps(each) for each in failures])
    return screen.getvalue()


def test_a_dead_letter_is_one_line_with_all_that_an_author_needs() -> None:
    """A first bug would be silence on the screen, and a search through the logs."""
    assert _shown(LETTER) == (
        "✗ handlers   KeyError: '[menu]' at my_shop/bot.py:42 process_message (acme): a dead letter after 4 tries: "
        "pipeline dead-letters show events.default/3/17\n"
    )


def test_a_wait_is_told_when_it_begins_and_a_blip_is_not() -> None:
    """The screen would be silent for minutes while a service is away, or full of tries that take a second."""
    assert "ConnectionError: '[menu]' at my_shop/bot.py:42" in _shown(ATTEMPT)
    assert "tried again in 1.2 s" in _shown(ATTEMPT)
    assert _shown(ATTEMPT | {"attempts": 2}, ATTEMPT | {"next_try_seconds": 0.1}) == ""


def test_sends_that_failed_say_what_to_do() -> None:
    """A message that WhatsApp refuses, or that was never sent, would be silence too."""
    about = {"tenant": "acme", "provider": "cloud", "account": "106", "code": 131047, "detail": "too late: a template"}
    assert _shown({"event": "send_failed"} | about) == (
        "✗ handlers   a send of acme by cloud account 106 failed (131047): too late: a template\n"
    )
    unread = {"kind": "text", "tenant": "acme", "raised_at": "bot.py:7", "reason": "it is too long"}
    assert _shown({"event": "send_refusal_unread"} | unread) == (
        "! handlers   a send (text) of acme at bot.py:7 was refused, and nobody looked at its result: it is too long\n"
    )


@pytest.mark.parametrize("line", ["", "half of a li", "[1]", '{"event": "other"}', '{"event": "send_failed"'])
def test_what_is_no_failure_is_not_shown(line: str) -> None:
    """A worker that is killed while it writes would end the whole stack."""
    assert _shown(line) == ""


def test_a_flood_is_a_few_lines() -> None:
    """The screen would scroll past the cause while a service is away."""
    now = 0.0
    lines = FailureLines(LineLimit(5, 10, lambda: now))
    assert len(list(lines.of("handlers", [json.dumps(LETTER)] * 50))) == 5
    now = 10.0
    (line,) = lines.of("handlers", [json.dumps(LETTER)])
    assert "(45 more like it)" in line


def test_every_worker_tells_of_its_failures(tmp_path: Path) -> None:
    """The failures of a part would stay in its log."""
    found = {service.name: service for service in services(Ports(), tmp_path, {}) if service.failures}
    assert set(found) == {"messenger", "handlers", "intake"}
    for service in found.values():
        assert service.env is not None
        assert service.env["PIPELINE_FAILURES_FILE"] == str(service.failures)
