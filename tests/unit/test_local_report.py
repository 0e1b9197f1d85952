"""The report: what a person sees of `pipeline up`."""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.local.ports import Ports
from pipeline.local.report import Report

PORTS = Ports.starting_at(20000)


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def report(screen: io.StringIO) -> Report:
    return Report(Console(file=screen, width=40), PORTS, Path("/data"))


def test_the_curl_line_can_be_pasted(report: Report, screen: io.StringIO) -> None:
    """The first thing that a newcomer tries would be a syntax error."""
    report.all_ready(9.8)
    text = screen.getvalue()
    assert "Ready in 9.8 s." in text
    start = text.index("curl http")
    words = shlex.split(text[start : text.index("curl", start + 4)].replace("\\\n", " "))
    assert words[1] == "http://127.0.0.1:20001/_sandbox/receive"
    assert json.loads(words[-1])["text"] == "hello"
    assert "curl http://127.0.0.1:20001/_sandbox/sent" in text


def test_it_says_what_runs_where(report: Report, screen: io.StringIO) -> None:
    """A person would have to read the source for the port of a worker's metrics."""
    report.all_ready(1)
    for port in (PORTS.ingress, PORTS.sandbox, PORTS.kafka, PORTS.redis, PORTS.intake, PORTS.handlers, PORTS.messenger):
        assert f"127.0.0.1:{port}" in screen.getvalue()


def test_a_log_line_is_no_markup(report: Report, screen: io.StringIO) -> None:
    """A traceback with brackets in it would be shown without them, or end the supervisor."""
    report.died("intake", "ended with exit status 1", Path("/data/logs/intake.log"), ["KeyError: [/red] [bold]x"], 1)
    report.output("intake", ["[/] [3]"])
    assert "    KeyError: [/red] [bold]x" in screen.getvalue()
    assert "intake │ [/] [3]" in screen.getvalue()
