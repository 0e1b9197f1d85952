"""Whatever Meta signs ends as events or as one dead letter, and nothing in it is lost or doubled."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord
from pipeline.providers import PROVIDERS
from pipeline.topics.events import decode
from pipeline.topics.events.wire import ParsedEvent
from pipeline.unicode import loads
from tests.support.cloud_webhooks import Json, Raw, examples, merged, signed, tenants, text, webhooks
from tests.support.mutations import MUTATIONS, Corpus, mutated

CLOUD = PROVIDERS["cloud"]
TENANTS = tenants()
BODIES = Corpus(orjson.dumps(whole) for whole in examples())

long = settings(max_examples=MUTATIONS, deadline=None, suppress_health_check=list(HealthCheck))


def _taken(body: bytes) -> tuple[list[ParsedEvent], int]:
    """The events of an authentic webhook, and its dead letters, as ingress and intake make them."""
    assert CLOUD.authenticate(signed(body), TENANTS)
    events: list[ParsedEvent] = []
    letters = 0
    for part in CLOUD.split(signed(body), TENANTS):
        try:
            made = list(CLOUD.parse(Raw(part.body)))
        except InvalidRecord:
            letters += 1
        else:
            assert {event.conversation for event in made} <= {part.key}
            events += made
    return events, letters


def _count(whole: Any) -> int:
    """How many things a webhook speaks of, itself where it has none; counted without any of the provider's code."""
    entries = whole.get("entry")
    return sum(_count_entry(entry) for entry in entries) if isinstance(entries, list) and entries else 1


def _count_entry(entry: Any) -> int:
    changes = entry.get("changes") if isinstance(entry, dict) else None
    return sum(_count_change(change) for change in changes) if isinstance(changes, list) and changes else 1


def _count_change(change: Any) -> int:
    value = change.get("value") if isinstance(change, dict) else None
    if not isinstance(value, dict) or not {"messaging_product", "metadata"} & set(value):
        return 1
    lists = {name: each for name, each in value.items() if isinstance(each, list)}
    found = sum(len(each) for name, each in lists.items() if name not in _NO_PARTS)
    return found + bool(lists.get("errors")) or 1


_NO_PARTS = {"contacts", "errors", "metadata", "messaging_product"}


@long
@given(mutated(BODIES))
def test_whatever_is_signed_ends_as_events_or_as_one_dead_letter(body: bytes) -> None:
    """One odd webhook would be lost, be counted twice, or stop everything behind it."""
    events, letters = _taken(body)
    try:
        whole = loads(body)
    except orjson.JSONDecodeError:
        whole = None
    if letters or not isinstance(whole, dict):
        assert (len(events), letters) == (0, 1)
        return
    assert len(events) == _count(whole)
    for wire in events:
        event = decode(Raw(wire.encode("acme")))
        assert (event.event_id, event.kind, event.conversation) == (wire.event_id, wire.kind, wire.conversation)


@long
@given(st.integers(0, len(BODIES) - 1), mutated(BODIES))
def test_other_content_is_another_event(number: int, other: bytes) -> None:
    """A different event would be dropped as a redelivery, or a redelivery handled as news."""
    one = BODIES[number]
    first, second = _taken(one)[0], _taken(other)[0]
    assert [event.event_id for event in _taken(one)[0]] == [event.event_id for event in first]
    for mine in first:
        for theirs in second:
            if mine.event_id == theirs.event_id:
                assert _what(mine) == _what(theirs)


def _what(event: ParsedEvent) -> Any:
    """What makes it this event: the platform's own id with what happened, or else all of its content."""
    body = event.body
    part = body.get("data") or body.get("message") or body.get("part") or body.get("errors")
    if ":hash-" in event.event_id:
        return body["account"], body["business_id"], part
    named = part.get("id") if isinstance(part, dict) else body.get("message_id")
    return body["account"], named, _happened(body, part)


def _happened(body: Json, part: Any) -> Any:
    """Nothing more for a message: it is written once."""
    if body["event_type"].startswith("status."):
        return body.get("status") or part["status"]
    return body.get("action") if body["kind"] == "account" else None


@given(st.lists(webhooks, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_a_redelivery_in_any_batch_and_order_has_the_same_ids(wholes: list[Json], random: Any) -> None:
    """What Meta sends again beside other things, in another order, would be handled again."""
    before = sorted(event.event_id for whole in wholes for event in _taken(orjson.dumps(whole))[0])
    shuffled = random.sample(wholes, len(wholes))
    again = merged(*shuffled)
    assert sorted(event.event_id for event in _taken(orjson.dumps(again))[0]) == before


def test_a_thousand_updates_in_one_post_are_a_thousand_events() -> None:
    """The largest batch that the platform sends would lose all but its first."""
    messages = [text(f"wamid.{number}", f"1555000{number % 50:04d}") for number in range(1000)]
    whole = orjson.loads(BODIES[0])
    whole["entry"][0]["changes"][0]["value"] |= {"messages": messages, "contacts": []}
    events, letters = _taken(orjson.dumps(whole))
    assert (len({event.event_id for event in events}), letters) == (1000, 0)
