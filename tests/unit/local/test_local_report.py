"""The report: what a person sees of `pipeline up`."""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console

from pipeline.local.ports import Ports
from pipeline.local.report import StackReporter
from pipeline.local.services import services
from pipeline.tenants import Tenant

PORTS = Ports.starting_at(20000)


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def report(screen: io.StringIO) -> StackReporter:
    return StackReporter(Console(file=screen, width=40), PORTS, Path("/data"))


def test_the_curl_line_can_be_pasted(report: StackReporter, screen: io.StringIO) -> None:
    """The first thing that a newcomer tries would be a syntax error."""
    report.all_ready(9.8)
    text = screen.getvalue()
    assert "Ready in 9.8 s." in text
    start = text.index("curl http")
    words = shlex.split(text[start : text.index("curl", start + 4)].replace("\\\n", " "))
    assert words[1] == "http://127.0.0.1:20001/_sandbox/receive"
    assert json.loads(words[-1])["text"] == "hello"
    assert "curl http://127.0.0.1:20001/_sandbox/sent" in text


@pytest.mark.parametrize(
    ("key", "shown"),
    [("local-made", "local-made"), ("sandbox-api-key", "sandbox-api-key"), ("secret", "$PIPELINE_API_KEY")],
)
def test_the_line_for_other_systems_shows_keys_of_this_machine_only(screen: io.StringIO, key: str, shown: str) -> None:
    """A company's key would be on the screen, and in whatever keeps it; or nobody could guess the one that was made."""
    tenants = [Tenant(id="globex"), Tenant(id="acme", api_keys=(SecretStr(key),))]
    StackReporter(Console(file=screen, width=40), PORTS, Path("/data"), tenants).all_ready(1)
    text = screen.getvalue()
    start = text.index("curl http://127.0.0.1:20000/api/whatsapp/messages/send-text")
    words = shlex.split(text[start : text.index("Logs:")].replace("\\\n", " "))
    assert words[5] == f"authorization: Bearer {shown}"
    assert json.loads(words[-1])["recipient"]
    assert (key in text) == (key == shown)


def test_without_a_key_there_is_no_line_for_other_systems(report: StackReporter, screen: io.StringIO) -> None:
    """Who pastes it would be refused."""
    report.all_ready(1)
    assert "/api/whatsapp" not in screen.getvalue()


def test_it_says_where_the_chat_is_and_which_instance_ids_are_taken(
    report: StackReporter, screen: io.StringIO, tmp_path: Path
) -> None:
    """A newcomer would write curl lines, and a second worker with the name of the first would evict it."""
    report.all_ready(1)
    assert "http://127.0.0.1:20001/chat" in screen.getvalue()
    workers = [each for each in services(PORTS, tmp_path, {}) if "worker" in each.argv]
    taken = {(each.env or {})["PIPELINE_INSTANCE_ID"] for each in workers}
    assert taken == {"1"}
    assert "instance id is 1" in screen.getvalue()
    assert "PIPELINE_INSTANCE_ID=2" in screen.getvalue()


def test_a_reload_says_what_changed_and_an_error_is_one_line(report: StackReporter, screen: io.StringIO) -> None:
    """A developer would wait for code that can't be imported, or lose it in a traceback."""
    report.reloading("handlers", [Path.cwd() / "shop" / "bot.py", Path("/elsewhere/b.py")])
    report.not_reloaded("handlers", "the handler [x] can't be imported", goes_on=True)
    report.not_reloaded("handlers", "the same", goes_on=False)
    assert screen.getvalue().splitlines() == [
        "↻ handlers   shop/bot.py and 1 more changed",
        "✗ handlers was not reloaded, the old code goes on: the handler [x] can't be imported",
        "✗ handlers was not reloaded, it waits for the next change: the same",
    ]


def test_it_says_what_runs_where(report: StackReporter, screen: io.StringIO) -> None:
    """A person would have to read the source for the port of a worker's metrics."""
    report.all_ready(1)
    for port in (PORTS.ingress, PORTS.sandbox, PORTS.kafka, PORTS.redis, PORTS.intake, PORTS.handlers, PORTS.messenger):
        assert f"127.0.0.1:{port}" in screen.getvalue()


def test_a_log_line_is_no_markup(report: StackReporter, screen: io.StringIO) -> None:
    """A traceback with brackets in it would be shown without them, or end the supervisor."""
    report.died("intake", "ended with exit status 1", Path("/data/logs/intake.log"), ["KeyError: [/red] [bold]x"], 1)
    report.output("intake", ["[/] [3]"])
    assert "    KeyError: [/red] [bold]x" in screen.getvalue()
    assert "intake │ [/] [3]" in screen.getvalue()
