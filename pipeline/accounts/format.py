"""Accounts as a table and as a page for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from pipeline.accounts.find import AccountState, WorkerFacts
from pipeline.lag.format import age, table
from pipeline.masking import masker
from pipeline.topics.controls import OperatorControl

_HEADING: Final = ("ACCOUNT", "TENANT", "CONFIGURED", "LIMIT", "STATE")
_OWN_LINES: Final = frozenset({"app", "tenant", "account", "topics"})
"""Facts of a worker that are not listed by their names."""


def as_table(states: Collection[AccountState], *, reveal: bool = False) -> Iterator[str]:
    """Yield a table with one line per account, and their number. Limits are in messages per second."""
    if states:
        yield from table(_HEADING, (_cells(state, reveal) for state in states), left=2)
    yield f"{len(states):,} accounts, {sum(state.paused for state in states):,} paused"


def _cells(state: AccountState, reveal: bool) -> tuple[str, ...]:
    text = "; ".join(_sentences(state, reveal)) or "sends"
    return state.key, state.tenant_id, f"{state.account.rate:g}/s", f"{state.rate:g}/s", text


def _sentences(state: AccountState, reveal: bool) -> Iterator[str]:
    named = (("paused", state.pause), ("tenant paused", state.tenant_pause), ("limited", state.limit))
    yield from (f"{what} {decision(control, reveal=reveal)}" for what, control in named if control is not None)
    if state.unreadable:
        yield "paused: a control needs a newer version"


def decision(control: OperatorControl, *, reveal: bool = False) -> str:
    """Return who decided, when, for how long and why."""
    until = f", until {moment(control.until)}" if control.until else ""
    return f"by {_shown(control.by, reveal)} on {moment(control.at)}{until}: {_shown(control.reason, reveal)}"


def moment(at: datetime) -> str:
    """Return a time for people: `2026-01-31 10:00:00 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def as_page(state: AccountState, workers: WorkerFacts, *, reveal: bool = False) -> Iterator[str]:
    """Yield all that is known of one account."""
    lines = {"account": state.key, "tenant": state.tenant_id, "state": "paused" if state.paused else "sends"}
    lines["limit"] = f"{state.rate:g} messages/s, configured are {state.account.rate:g}"
    yield from (f"{name:<10}{text}" for name, text in lines.items())
    yield from _sentences(state, reveal)
    for url, facts in workers.facts.items():
        yield ""
        yield f"{facts.get('app', 'worker')} {url}"
        yield from (line for name, value in facts.items() if name not in _OWN_LINES for line in _lines(name, value))
        yield from (f"  {topic}  {_waiting(each)}" for topic, each in facts.get("topics", {}).items())


def _waiting(topic: Mapping[str, Any]) -> str:
    text = f"{topic.get('parked', 0):,} parked"
    if topic.get("oldest_seconds") is not None:
        text += f", the oldest {age(topic['oldest_seconds'])}"
    if topic.get("held_seconds") is not None:
        text += f"; held, next try in {age(topic['held_seconds'])}: {topic.get('cause', '')}"
    if topic.get("sendable"):
        text += f"; {topic['sendable']:,} sendable"
    return text + "".join(_held(name, each) for name, each in topic.get("held", {}).items())


def _held(name: str, wait: Mapping[str, Any]) -> str:
    until = "" if wait.get("seconds") is None else f", the first free in {age(wait['seconds'])}"
    return f"; {wait['records']:,} held by {name}{until}"


def _lines(name: str, value: object) -> Iterator[str]:
    """Yield the line of a fact. One that has further facts in it has a line for each."""
    if isinstance(value, dict) and any(isinstance(each, dict) for each in value.values()):
        yield from (f"  {name}.{part}  {_pairs(each)}" for part, each in value.items())
    else:
        yield f"  {name}  {_text(value)}"


def _pairs(value: object) -> str:
    if not isinstance(value, dict):
        return _text(value)
    return ", ".join(f"{name} {_text(each)}" for name, each in value.items())


def _text(value: object) -> str:
    return "-" if value is None else value if isinstance(value, str) else orjson.dumps(value).decode()


def as_json(states: Collection[AccountState], *, reveal: bool = False) -> Iterator[str]:
    """Yield one JSON object per account."""
    return (_dump(_fields(state, reveal)) for state in states)


def page_as_json(state: AccountState, workers: WorkerFacts, *, reveal: bool = False) -> str:
    """Return all that is known of one account as a JSON object."""
    return _dump(_fields(state, reveal) | {"workers": workers.facts, "silent": workers.silent})


def _fields(state: AccountState, reveal: bool) -> dict[str, Any]:
    return {
        "account": state.key,
        "tenant": state.tenant_id,
        "provider": state.account.provider,
        "paused": state.paused,
        "messages_per_second": state.rate,
        "configured_messages_per_second": state.account.rate,
        "pause": _control(state.pause, reveal),
        "tenant_pause": _control(state.tenant_pause, reveal),
        "limit": _control(state.limit, reveal),
        "unreadable": state.unreadable,
    }


def _control(control: OperatorControl | None, reveal: bool) -> dict[str, Any] | None:
    if control is None:
        return None
    until = control.until and control.until.isoformat()
    texts = {"by": _shown(control.by, reveal), "reason": _shown(control.reason, reveal)}
    return {**texts, "at": control.at.isoformat(), "until": until}


def _shown(text: str, reveal: bool) -> str:
    return text if reveal else masker().text(text)


def _dump(fields: Mapping[str, Any]) -> str:
    return orjson.dumps(fields).decode()
