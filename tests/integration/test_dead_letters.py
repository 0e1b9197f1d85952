"""Dead letters on the whole stack: found, shown, redriven once, dropped."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from tests.integration.installation import Done, pipeline
from tests.support.observers import get, records, request
from tests.support.ports import free_ports
from tests.support.stacks import ROOT, Stack, eventually
from tests.support.webhooks import change, signed, text, webhook

SAMPLE = (ROOT / "examples" / "tenants.yaml").read_text()
_ACME = SAMPLE.index("  - id: acme")
WITHOUT_ACME = SAMPLE[:_ACME] + SAMPLE[SAMPLE.index("  - id: globex") :]
WORKERS = ("intake", "handlers", "messenger")
_numbers = count(1)


@pytest.fixture(scope="module")
def tenants() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "tenants.yaml")
        path.write_text(WITHOUT_ACME)
        yield path


@pytest.fixture(scope="module")
def running(tenants: Path) -> Iterator[Stack]:
    """One stack for all tests of this file, at first without the tenant acme. Each uses contacts of its own."""
    with tempfile.TemporaryDirectory() as place:
        stack = Stack(free_ports(), Path(place, "data"), Path(place, "up.out"), (), {"PIPELINE_TENANTS": str(tenants)})
        try:
            stack.wait_ready()
            yield stack
        finally:
            stack.stop()


def _verb(stack: Stack, *arguments: str) -> Done:
    return pipeline("dead-letters", *arguments, kafka=stack.bootstrap)


def _letters(stack: Stack, *filters: str) -> list[dict[str, Any]]:
    """Those that `list` finds; in this process, which spares the start of another."""
    done = CliRunner().invoke(
        app, ["dead-letters", "list", "--json", *filters], env={"PIPELINE_KAFKA": stack.bootstrap}
    )
    assert done.exit_code == 0, done.output
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def _post(stack: Stack, body: bytes) -> None:
    assert request(f"{stack.ingress_url}/webhooks/cloud", body, signed(body)) == 200


def _arrived(stack: Stack, stage: str, value: bytes) -> list[str]:
    """The ids of the letters with these bytes."""
    found = records(stack.bootstrap, f"dead-letters.{stage}")
    return [f"{stage}/{record.partition}/{record.offset}" for record in found if record.value == value]


def _garbage(stack: Stack) -> tuple[dict[str, Any], bytes]:
    """A new letter of parse, and its bytes."""
    body = b'{"broken %d' % next(_numbers)
    _post(stack, body)
    eventually(lambda: _arrived(stack, "parse", body), "a letter of parse")
    (letter,) = _arrived(stack, "parse", body)
    return next(each for each in _letters(stack, "--stage", "parse") if each["id"] == letter), body


def _replies(stack: Stack, contact: str) -> list[str]:
    return [sent["body"]["body"] for sent in get(f"{stack.sandbox_url}/_sandbox/sent") if sent["to"] == contact]


def test_a_tenant_that_comes_late_gets_its_letters_redriven_once(running: Stack, tenants: Path) -> None:
    """What customers wrote before their company was set up would be lost, or answered twice."""
    contact = "15551230001"
    bodies = [webhook([change([text(contact, f"wamid.{n}", f"hi {n}")])]) for n in range(3)]
    for body in bodies:
        _post(running, body)
    eventually(lambda: all(_arrived(running, "route", body) for body in bodies), "three letters")
    (first, *_) = letters = _letters(running)
    assert {each["error_type"] for each in letters} == {"UnknownTenant"}

    tenants.write_text(SAMPLE)
    for name in WORKERS:
        running.child(name).kill()
    eventually(lambda: all(running.times_ready(name) == 2 for name in WORKERS), "workers that know the tenant")

    dry = _verb(running, "redrive", "--error-type", "UnknownTenant", "--dry-run")
    assert (dry.returncode, dry.stdout.splitlines()[-1]) == (0, "3 would be redriven")
    assert len(_letters(running)) == 3
    done = _verb(running, "redrive", "--error-type", "UnknownTenant")
    assert (done.returncode, done.stdout) == (0, "3 redriven\n")
    eventually(lambda: len(_replies(running, contact)) == 3, "three replies")
    assert _replies(running, contact) == [f"You said: hi {n}" for n in range(3)], "in the order of the conversation"

    assert _verb(running, "redrive").stdout == "0 redriven\n"
    again = _verb(running, "redrive", first["id"])
    assert (again.returncode, again.stdout) == (0, "0 redriven, 1 decided before\n")
    assert _letters(running) == []
    assert len(_letters(running, "--state", "redriven")) == 3
    raw = [record.value for record in records(running.bootstrap, "webhooks.raw")]
    assert [raw.count(body) for body in bodies] == [2, 2, 2], "as it came, and once again"


def test_a_redrive_that_died_before_its_mark_changes_nothing_when_it_runs_again(running: Stack) -> None:
    """Whoever runs it again after a crash would have customers answered twice."""
    contact = "15551230002"
    body = webhook([change([text(contact, "wamid.again", "again")])])
    _post(running, body)
    eventually(lambda: _replies(running, contact), "a reply")
    _post(running, body)  # what a second redrive publishes: the same bytes under the same key
    last = "15551230003"
    _post(running, webhook([change([text(last, "wamid.last", "last")])]))
    eventually(lambda: _replies(running, last), "the reply to what came last")
    ports = (running.ports.intake, running.ports.handlers, running.ports.messenger)
    eventually(lambda: all(running.in_progress(port) == 0 for port in ports), "idle workers")
    assert len(_replies(running, contact)) == 1


def test_show_tells_why_and_hides_what_was_written(running: Stack) -> None:
    """An operator would not know what failed, or would read what customers write."""
    letter, _ = _garbage(running)
    shown = _verb(running, "show", letter["id"])
    assert shown.returncode == 0, shown.stderr
    for part in (letter["id"], "InvalidRecord", "webhooks.raw", "provider: cloud", "open"):
        assert part in shown.stdout
    assert "broken" not in shown.stdout
    assert '{"broken' in _verb(running, "show", letter["id"], "--reveal").stdout
    record = "{topic}/{partition}/{offset}".format(**letter["origin"])
    for name in (record, letter["trace_id"]):
        assert letter["id"] in _verb(running, "show", name).stdout, "as a masked line of the log names it"
    assert _verb(running, "drop", letter["trace_id"], record).stdout == "1 dropped\n"


def test_a_dropped_letter_is_closed_and_can_be_redriven_by_name(running: Stack) -> None:
    """What nobody wants would be listed for a month, or a mistaken drop be final."""
    letter, body = _garbage(running)
    assert _verb(running, "drop", letter["id"], "--dry-run").stdout.endswith("1 would be dropped\n")
    assert letter in _letters(running)
    assert _verb(running, "drop", letter["id"]).stdout == "1 dropped\n"
    assert letter not in _letters(running)
    shown = _verb(running, "show", letter["id"]).stdout
    assert "dropped" in shown
    assert "@" in shown, "by whom"
    assert _verb(running, "redrive").stdout == "0 redriven\n"

    assert _verb(running, "redrive", letter["id"]).stdout == "1 redriven\n"
    eventually(lambda: len(_arrived(running, "parse", body)) == 2, "a letter of its own, since it fails again")
    (new,) = _letters(running)
    assert (new["origin"]["topic"], new["bytes"]) == ("webhooks.raw", letter["bytes"])
    assert _verb(running, "drop", "--stage", "parse").stdout == "1 dropped\n"


def test_filters_and_the_limit(running: Stack) -> None:
    """A redrive of one tenant, stage or hour would take all of them."""
    (first, _), (second, _) = _garbage(running), _garbage(running)
    assert {each["id"] for each in _letters(running)} == {first["id"], second["id"]}
    assert _letters(running, "--stage", "route") == _letters(running, "--error-type", "KeyError") == []
    assert _letters(running, "--tenant", "nobody") == _letters(running, "--until", "1h") == []
    assert len(_letters(running, "--since", "1h", "--error-type", "InvalidRecord")) == 2
    limited = _verb(running, "list", "--limit", "1")
    assert len(limited.stdout.splitlines()) == 3, "the heading, one letter, the count"
    assert limited.stdout.splitlines()[-1].startswith("2 open, 1 of them shown")
    assert _verb(running, "drop", "--since", "1h").stdout == "2 dropped\n"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("redrive", "parse/0/999999"), 1, "no such dead letter: parse/0/999999"),
        (("show", "parse/0/999999"), 1, "there is no dead letter"),
        (("show", "parse"), 2, "STAGE/PARTITION/OFFSET"),
        (("list", "--stage", "prase"), 2, "there is no stage"),
        (("list", "--since", "soon"), 2, "is not a time"),
        (("drop",), 2, "--all"),
    ],
)
def test_what_can_not_be_done_says_so(running: Stack, arguments: tuple[str, ...], status: int, says: str) -> None:
    """A mistyped id or filter would end as if all had been done."""
    done = _verb(running, *arguments)
    assert done.returncode == status
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_without_a_broker_it_ends_soon_and_in_one_line() -> None:
    """An operator would look at a hanging terminal in the middle of an outage."""
    done: subprocess.CompletedProcess[str] = pipeline("dead-letters", "list", kafka=f"127.0.0.1:{free_ports()}")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert re.search(r"\((no connection|no answer in time)\)", done.stderr), "it asks once and for some seconds"
