"""Whatever comes with a session's secret ends as events or as one dead letter, and nothing in it is lost or doubled."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord
from pipeline.ingress.records import IngressMetadata, RecordBuilder, webhook_id
from pipeline.providers import PROVIDERS
from pipeline.providers.wasender.fingerprint import replace_secrets
from pipeline.testing import TestRecord
from pipeline.topics.events import decode
from pipeline.topics.events.wire import ParsedEvent
from pipeline.unicode import loads
from tests.support.mutations import MUTATIONS, Corpus, mutated
from tests.support.wasender_webhooks import (
    ANA,
    GROUP,
    SESSION,
    TENANTS,
    examples,
    holding,
    key,
    received,
    request,
    text,
    webhook,
    webhooks,
)
from tests.unit.providers.wasender.test_wasender_notices import STUBS

WASENDER = PROVIDERS["wasender"]
OURS = key("3EB0OUT", fromMe=True)
BODIES = Corpus(
    orjson.dumps(each)
    for each in (
        *examples(),
        received(holding({"imageMessage": {"url": "https://w.example/i", "mediaKey": "AAAA", "caption": "c"}})),
        webhook("messages.upsert", {"messages": [text("A"), text("B", "15550002222"), text("C"), text("D") | OURS]}),
        webhook("messages.upsert", [text("A"), text("G") | {"key": key("G", remoteJid=GROUP, participant="1@lid")}]),
        webhook("messages.delete", {"keys": [key("A"), key("B", "15550002222")]}),
        webhook("messages.update", [{"update": {"status": n}, "key": OURS} for n in range(6)]),
        webhook("messages.update", [{"update": {"status": 4}, "key": key("3EB0IN")}]),
        *(received({"key": key("P"), "messageTimestamp": 1_759_999_999} | held) for held, _ in STUBS),
        webhook("call", {"call": [{"id": "CALL1", "from": f"{ANA}@s.whatsapp.net", "status": "offer"}]}),
        webhook("contacts.update", [{"jid": f"{ANA}@s.whatsapp.net"}, {"jid": "777@lid"}]),
    )
)
_WRAPPED = {
    **dict.fromkeys(("messages.received", "messages.recieved", "messages.upsert"), "messages"),
    **{f"messages-{whom}.received": "messages" for whom in ("personal", "group", "newsletter")},
    "messages.delete": "keys",
    "message-receipt.update": "message",
    "call": "call",
    "call.received": "call",
}
"""What the documents put around the parts of an event."""

long = settings(max_examples=MUTATIONS, deadline=None, suppress_health_check=list(HealthCheck))


def _taken(body: bytes) -> tuple[list[ParsedEvent], int]:
    """The events of an authentic webhook, and its dead letters, as ingress and intake make them."""
    asked = request(body)
    assert WASENDER.authenticate(asked, TENANTS)
    metadata = IngressMetadata("wasender", "shop", webhook_id(body), 1_760_000_000_500, b"trace")
    events: list[ParsedEvent] = []
    letters = 0
    for record in RecordBuilder(TENANTS).build(WASENDER.split(asked, TENANTS), metadata):
        try:
            made = list(WASENDER.parse(TestRecord.of(record)))
        except InvalidRecord:
            letters += 1
        else:
            assert {event.conversation.encode() for event in made} <= {record.key}
            events += made
    return events, letters


def _read(body: bytes) -> Any:
    """Its JSON. What makes it none may lie within a secret, which is hidden before anybody reads the rest."""
    account = TENANTS.account("wasender", SESSION)
    assert account is not None
    for each in (body, replace_secrets(body, account)):
        with suppress(orjson.JSONDecodeError):
            return loads(each)
    return None


def _count(whole: Any) -> int:
    """How many things a webhook speaks of, counted without any of the provider's code."""
    held = whole.get("data")
    named = [whole[field] for field in ("event", "type") if isinstance(whole.get(field), str)]
    wrapper = _WRAPPED.get(named[0]) if named else None
    if wrapper and isinstance(held, dict) and wrapper in held:
        held = held[wrapper]
    return len(held) or 1 if isinstance(held, list) else int(bool(whole))


@long
@given(mutated(BODIES))
def test_whatever_is_authentic_ends_as_events_or_as_one_dead_letter(body: bytes) -> None:
    """One odd webhook would be lost, be counted twice, or stop everything behind it."""
    events, letters = _taken(body)
    whole = _read(body)
    if letters or not isinstance(whole, dict):
        assert (len(events), letters) == (0, 1)
        return
    assert len(events) == _count(whole)
    for wire in events:
        event = decode(TestRecord(wire.encode("acme")))
        assert (event.event_id, event.kind, event.conversation) == (wire.event_id, wire.kind, wire.conversation)


@given(webhooks, st.data())
def test_a_redelivery_in_any_order_has_the_same_ids(whole: Any, data: st.DataObject) -> None:
    """What is batched otherwise when it is sent again would be handled again."""
    shuffled = data.draw(st.permutations(whole["data"]["messages"]))
    again = webhook("messages.upsert", {"messages": shuffled})
    assert sorted(_ids(whole)) == sorted(_ids(again))


def _ids(whole: Any) -> list[str]:
    return [event.event_id for event in _taken(orjson.dumps(whole))[0]]
