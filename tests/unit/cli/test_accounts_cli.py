"""`pipeline accounts` and `pipeline tenants`: what they refuse before they ask Kafka, and what they print."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pipeline.accounts.find import AccountFilter, AccountState, WorkerFacts, account_state, find_accounts
from pipeline.accounts.format import as_json, as_page, as_table, page_as_json
from pipeline.cli import app
from pipeline.cli._control_options import MAX_TEXT, to_end
from pipeline.messenger.controls import Controls
from pipeline.tenants import SAMPLE, Tenants
from pipeline.topics.controls import OperatorControl
from tests.support.controls import at, limit, pause, record, tenants

NUMBER = "491771234567"
NOW = datetime(2026, 1, 31, 10, tzinfo=UTC)
KNOWN = tenants(80.0, acme=["1", "2"], globex=["3"])
SAMPLE_NUMBER = "cloud:106540352242922"


def states(*decided: OperatorControl, known: Tenants = KNOWN, **wanted: Any) -> list[AccountState]:
    controls = Controls(known)
    for each in decided:
        controls.apply(record(each), 0)
    return list(find_accounts(known, controls, AccountFilter(**wanted)))


def run(*arguments: str) -> tuple[int, str]:
    """Run a command that must not get as far as Kafka."""
    environment = {"PIPELINE_TENANTS": str(SAMPLE), "PIPELINE_KAFKA": "127.0.0.1:1", "COLUMNS": "200", "NO_COLOR": "1"}
    done = CliRunner().invoke(app, [*arguments], env=environment)
    return done.exit_code, " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["accounts", "pause", SAMPLE_NUMBER], "--reason"),
        (["accounts", "pause", SAMPLE_NUMBER, "--reason", " "], "--reason is empty"),
        (["accounts", "pause", SAMPLE_NUMBER, "--reason", "x" * (MAX_TEXT + 1)], "more than 500 characters"),
        (["accounts", "pause", SAMPLE_NUMBER, "--reason", "x", "--for", "soon"], "write 90m, 2h or 7d"),
        (["accounts", "pause", SAMPLE_NUMBER, "--reason", "x", "--for", "0h"], "write 90m, 2h or 7d"),
        (["accounts", "pause", SAMPLE_NUMBER, "--reason", "x", "--until", "2020-01-01"], "no time to come"),
        (["accounts", "pause", SAMPLE_NUMBER, "--reason", "x", "--until", "soon"], "no time to come"),
        (["accounts", "pause", SAMPLE_NUMBER, "--reason", "x", "--for", "1h", "--until", "2999-01-01"], "not both"),
        (["accounts", "pause", "cloud:1", "--reason", "x"], "`pipeline accounts list` shows all"),
        (["accounts", "pause", "106540352242922", "--reason", "x"], f"write {SAMPLE_NUMBER}"),
        (["accounts", "show", "cloud:1"], "there is no account 'cloud:1'"),
        (["accounts", "resume", "cloud:1"], "there is no account 'cloud:1'"),
        (["accounts", "limit", SAMPLE_NUMBER, "--reason", "x"], "name a RATE in messages per second, or --clear"),
        (["accounts", "limit", SAMPLE_NUMBER, "5", "--clear"], "name a RATE in messages per second, or --clear"),
        (["accounts", "limit", SAMPLE_NUMBER, "0", "--reason", "x"], "RATE is not above 0"),
        (["accounts", "limit", SAMPLE_NUMBER, "nan", "--reason", "x"], "RATE is not above 0"),
        (["accounts", "limit", SAMPLE_NUMBER, "inf", "--reason", "x"], "RATE is not above 0"),
        (["accounts", "limit", SAMPLE_NUMBER, "5"], "--reason is empty"),
        (["tenants", "pause", "nobody", "--reason", "x"], "there is no tenant 'nobody'"),
        (["tenants", "pause", "acme"], "--reason"),
    ],
)
def test_a_wrong_decision_is_refused_and_says_how_to_write_it(arguments: list[str], says: str) -> None:
    """A pause would be published that nobody obeys, or for ever where it was meant for an hour."""
    status, output = run(*arguments)
    assert status == 2, output
    assert says in output


@pytest.mark.parametrize(
    ("span", "until", "end"),
    [
        (None, None, None),
        ("90m", None, NOW + timedelta(minutes=90)),
        ("7d", None, NOW + timedelta(days=7)),
        (None, "2026-02-01", datetime(2026, 2, 1, tzinfo=UTC)),
        (None, "2026-01-31T12:00+01:00", NOW + timedelta(hours=1)),
    ],
)
def test_an_end_is_a_span_or_a_time(span: str | None, until: str | None, end: datetime | None) -> None:
    """A number would be silent for longer or shorter than its operator meant."""
    assert to_end(span, until, NOW) == end


def test_an_end_that_has_passed_is_none() -> None:
    """A pause that ends before it begins would be taken for one that works."""
    with pytest.raises(typer.BadParameter):
        to_end(None, "2026-01-31T10:00", NOW)


def test_the_table_names_who_decided_what_and_why() -> None:
    """Who finds a silent number would not know whom to ask, or when it goes on."""
    found = states(
        pause("1", by="jo@desk", reason="wrong template", until=at(3_600)),
        limit("1", 20, by="mo@desk", reason=f"asked by +{NUMBER}"),
        pause(tenant="globex", by="jo@desk", reason="unpaid"),
    )
    first, second, third, fourth, last = as_table(found)
    assert first.split() == ["ACCOUNT", "TENANT", "CONFIGURED", "LIMIT", "STATE"]
    assert second.startswith("cloud:1  acme          80/s   20/s  paused by jo@desk on 2027-01-15 08:00:00 UTC, until ")
    assert "until 2027-01-15 09:00:00 UTC: wrong template; limited by mo@desk" in second
    assert NUMBER not in second
    assert NUMBER in list(as_table(found, reveal=True))[1]
    assert third.endswith("80/s   80/s  sends")
    assert fourth.endswith("tenant paused by jo@desk on 2027-01-15 08:00:00 UTC: unpaid")
    assert last == "3 accounts, 2 paused"


def test_the_list_is_filtered() -> None:
    """An operator of a thousand numbers would search for the paused one by eye."""
    decided = pause("1"), pause(tenant="globex")
    assert [each.key for each in states(*decided, paused=True)] == ["cloud:1", "cloud:3"]
    assert [each.key for each in states(*decided, tenant="acme")] == ["cloud:1", "cloud:2"]
    assert [each.key for each in states(*decided, tenant="acme", paused=True)] == ["cloud:1"]
    assert states(*decided, provider="wawp") == []
    assert len(states(provider="cloud")) == 3


def test_programs_read_what_people_see() -> None:
    """A script that pauses numbers could not tell which ones are."""
    decided = pause("1", by="jo", reason=f"+{NUMBER}", until=at(60)), limit("2", 5, by="mo", reason="slow")
    first, second, third = (json.loads(line) for line in as_json(states(*decided)))
    assert first["pause"] == {
        "by": "jo",
        "reason": first["pause"]["reason"],
        "at": "2027-01-15T08:00:00+00:00",
        "until": "2027-01-15T08:01:00+00:00",
    }
    assert NUMBER not in first["pause"]["reason"]
    assert (first["paused"], second["paused"]) == (True, False)
    assert (second["messages_per_second"], second["configured_messages_per_second"]) == (5.0, 80.0)
    assert second["limit"]["reason"] == "slow"
    assert (third["account"], third["tenant"], third["provider"]) == ("cloud:3", "globex", "cloud")
    assert third["pause"] is third["tenant_pause"] is third["limit"] is None


def test_the_page_of_an_account_has_what_its_worker_says() -> None:
    """An operator could not see if the pause has arrived, or what waits behind it."""
    controls = Controls(KNOWN)
    controls.apply(record(pause("1", by="jo", reason="why")), 0)
    account = KNOWN.account("cloud", "1")
    assert account is not None
    state = account_state(controls, "acme", account)
    topic = {
        "parked": 1_414,
        "bytes": 9,
        "oldest_seconds": 720,
        "held_seconds": 42.4,
        "cause": "KeyUnavailable: paused",
        "sendable": 3,
        "held": {"operator": {"records": 1_400, "seconds": 7_200.0}, "turn": {"records": 14, "seconds": None}},
    }
    facts = {
        "app": "messenger",
        "tenant": "acme",
        "account": "cloud:1",
        "paused": "it is",
        "paused_until": None,
        "failed_outcomes": {"131026": 3},
        "limits": {"messages_per_second": {"configured": 80.0, "allowed": 40.0}, "pair": {"people": 2}},
        "topics": {"commands.bulk": topic, "commands.interactive": {"parked": 0}},
    }
    known = WorkerFacts({"http://worker:1": facts})
    held = (
        "held, next try in 42 s: KeyUnavailable: paused; 3 sendable; "
        "1,400 held by operator, the first free in 2.0 h; 14 held by turn"
    )
    assert list(as_page(state, known)) == [
        "account   cloud:1",
        "tenant    acme",
        "state     paused",
        "limit     80 messages/s, configured are 80",
        "paused by jo on 2027-01-15 08:00:00 UTC: why",
        "",
        "messenger http://worker:1",
        "  paused  it is",
        "  paused_until  -",
        '  failed_outcomes  {"131026":3}',
        "  limits.messages_per_second  configured 80.0, allowed 40.0",
        "  limits.pair  people 2",
        f"  commands.bulk  1,414 parked, the oldest 12 min; {held}",
        "  commands.interactive  0 parked",
    ]
    page = json.loads(page_as_json(state, known))
    assert page["workers"] == {"http://worker:1": facts}
    assert page["pause"]["by"] == "jo"
