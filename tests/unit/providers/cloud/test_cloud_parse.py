"""A slice of a webhook into its events."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord
from pipeline.providers.cloud.parse import parse_record
from pipeline.topics.events import (
    AccountEvent,
    ErrorEvent,
    EventBase,
    MessageEvent,
    StatusEvent,
    TextMessage,
    UnknownEvent,
    decode,
)
from pipeline.topics.events.details import TemplateStatus
from pipeline.topics.events.wire import ParsedEvent
from tests.support.cloud_webhooks import (
    NUMBER,
    WABA,
    Example,
    Json,
    Raw,
    anything,
    contact,
    disfigured,
    merged,
    named_examples,
    status,
    text,
    value,
    webhook,
    webhooks,
)

ACCOUNT = f"cloud:{NUMBER}"


def _wire(whole: Json) -> list[ParsedEvent]:
    return list(parse_record(Raw(orjson.dumps(whole))))


def _decoded(event: ParsedEvent) -> EventBase:
    """The event as a handler gets it, through the bytes of the topic."""
    return decode(Raw(event.encode("acme")))


def _only(whole: Json) -> EventBase:
    (event,) = _wire(whole)
    return _decoded(event)


def test_a_text_message() -> None:
    """Every handler would read something wrong from the most usual webhook."""
    person = contact("15550001111", user_id="US.1", identity_key_hash="h")
    headers = (("webhook-id", b"wh-1"), ("received-at", b"1760000000123"), ("traceparent", b"00-a-b-01"))
    whole = webhook(value(contacts=[person], messages=[text("wamid.1")]))
    (wire,) = parse_record(Raw(orjson.dumps(whole), headers))
    event = _decoded(wire)
    assert isinstance(event, MessageEvent)
    assert (wire.event_id, wire.conversation) == (f"{ACCOUNT}:wamid.1", f"{ACCOUNT}:US.1")
    assert (wire.kind, wire.provider, wire.account) == ("message", "cloud", NUMBER)
    assert (event.event_id, event.kind, event.conversation) == (wire.event_id, wire.kind, wire.conversation)
    assert (event.event_type, event.contact, event.account, event.business_id) == ("message.text", "US.1", NUMBER, WABA)
    assert event.timestamp == datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)
    assert event.received_at == datetime(2025, 10, 9, 8, 53, 20, 123000, tzinfo=UTC)
    assert (event.webhook_id, event.traceparent, event.display_phone_number) == ("wh-1", "00-a-b-01", "15559990000")
    assert (event.user.user_id, event.user.phone_number, event.user.profile_name) == ("US.1", "15550001111", "Ana")
    assert isinstance(event.message, TextMessage)
    assert event.message.text.body == "Hello"
    assert event.get_raw_webhook_data() == whole


def test_a_status() -> None:
    """Nobody would know which command reached whom, and what it cost."""
    pricing = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "marketing"}
    event = _only(
        webhook(value(statuses=[status("wamid.O", "read", biz_opaque_callback_data="cmd-7", pricing=pricing)]))
    )
    assert isinstance(event, StatusEvent)
    assert event.event_id == f"{ACCOUNT}:wamid.O:read:15550001111"
    assert (event.message_id, event.status.value, event.recipient_id) == ("wamid.O", "read", "15550001111")
    assert (event.command_id, event.is_billable_message(), event.is_delivered_status()) == ("cmd-7", True, True)


def test_errors_of_a_value_are_one_event() -> None:
    """A handler could not see that the number is being throttled."""
    event = _only(webhook(value(errors=[{"code": 130429, "title": "Rate limit hit"}, {"code": 131000, "title": "x"}])))
    assert isinstance(event, ErrorEvent)
    assert event.get_error_codes() == [130429, 131000]
    assert event.conversation == ACCOUNT


@pytest.mark.parametrize("example", list(named_examples()), ids=lambda example: example.name)
def test_every_documented_webhook_becomes_typed_events_that_survive_the_topic(example: Example) -> None:
    """A kind of webhook that Meta documents would reach no hook, or be dead-lettered by the stage that reads it."""
    made = _wire(example.body)
    assert [wire.body["event_type"] for wire in made] == example.events
    assert ["unknown" for wire in made if wire.kind == "unknown"] == ["unknown"] * example.name.startswith(
        "chat opened"
    )
    for wire in made:
        event = _decoded(wire)
        assert (event.event_id, event.kind, event.conversation) == (wire.event_id, wire.kind, wire.conversation)
        assert decode(Raw(event.to_json())) == event
        assert [again.event_id for again in _wire(event.raw)] == [event.event_id]


@pytest.mark.parametrize(
    ("whole", "event_type"),
    [
        (webhook(value(messages=[text("wamid.H", type="hologram", hologram={"id": "1"})])), "message.hologram"),
        (webhook(value(messages=[text("wamid.I", type="image")])), "message.image"),
        (webhook(value(messages=[text("wamid.W", type="request_welcome")])), "message.request_welcome"),
        (webhook(value(messages=[text("wamid.X", type="no type?")])), "message.unknown"),
        (webhook(value(holograms=[{"id": "1"}])), "field.holograms"),
        (webhook(value(holograms=[{"id": "1"}]), field="calls"), "field.calls"),
        (webhook(value(calls=["odd"]), field="calls"), "field.calls"),
        (webhook({"event": "SHONE"}, field="holograms"), "field.holograms"),
        (webhook({"new": 1}), "field.messages"),
        ({"entry": [{"id": "1", "changes": ["odd"]}]}, "change"),
        ({"entry": ["odd"]}, "entry"),
        ({"entry": [{"id": "1", "changes": [], "new": 1}]}, "entry"),
        ({"something": "else"}, "webhook"),
        ({"object": "whatsapp_business_account"}, "webhook"),
        ({"object": "x", "entry": []}, "webhook"),
        ({}, "webhook"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_has_no_model_arrives_whole(whole: Json, event_type: str) -> None:
    """What Meta adds tomorrow would be dropped, or would be answered as if a user had written it."""
    event = _only(whole)
    assert isinstance(event, UnknownEvent)
    assert event.event_type == event_type
    assert event.raw == whole
    assert orjson.dumps(event.part) in orjson.dumps(whole)


def test_an_account_event_keeps_its_content_and_reads_it_by_name() -> None:
    """A campaign would go on with a paused template, or a user who said stop would be written to."""
    whole = webhook({"event": "PAUSED", "message_template_id": 7, "new": [1]}, field="message_template_status_update")
    event = _only(whole)
    assert isinstance(event, AccountEvent)
    assert (event.field, event.action, event.account) == ("message_template_status_update", "PAUSED", WABA)
    assert event.data == whole["entry"][0]["changes"][0]["value"]
    assert isinstance(event.detail, TemplateStatus)
    assert (event.detail.event, event.detail.message_template_id) == ("PAUSED", "7")
    assert event.detail.model_extra == {"new": [1]}
    assert event.get_raw_webhook_data() == whole


def test_an_account_event_about_a_person_is_keyed_by_that_person() -> None:
    """A stop would overtake, or be overtaken by, what the same person writes."""
    stop = {"wa_id": "15550001111", "user_id": "US.1", "value": "stop", "timestamp": 1760000000}
    event = _only(webhook(value(contacts=[contact()], user_preferences=[stop]), field="user_preferences"))
    assert isinstance(event, AccountEvent)
    assert (event.contact, event.conversation, event.action) == ("US.1", f"{ACCOUNT}:US.1", "stop")
    assert event.user is not None
    assert (event.user.bsuid, event.user.phone_number, event.user.profile_name) == ("US.1", "15550001111", "Ana")
    assert event.is_marketing_preference
    assert event.event_detail.preference_value == "stop"


def test_an_echo_is_no_message_of_a_user() -> None:
    """A handler would answer what a colleague wrote."""
    sent = {"from": "15559990000", "to": "15550001111"} | {"id": "wamid.E", "timestamp": "1760000000", "type": "text"}
    event = _only(webhook(value(message_echoes=[sent | {"text": {"body": "On our way"}}]), field="smb_message_echoes"))
    assert isinstance(event, AccountEvent)
    assert (event.event_type, event.conversation) == ("echo", f"{ACCOUNT}:15550001111")
    assert isinstance(event.message, TextMessage)
    assert event.message.text_content == "On our way"
    odd = _only(webhook(value(message_echoes=[sent]), field="smb_message_echoes"))
    assert isinstance(odd, AccountEvent)
    assert odd.message is None
    assert odd.data == sent


def test_every_part_of_a_batch_is_an_event_of_its_own() -> None:
    """All but the first message of a batch would be lost, as in the frameworks before this one."""
    messages = [text("wamid.1"), text("wamid.2"), text("wamid.3", type="image", image={})]
    first = webhook(
        value(messages=messages, statuses=[status("wamid.O"), status("wamid.O", "read")], errors=[{"code": 1}])
    )
    made = _wire(merged(first, webhook(value("2", messages=[text("wamid.1")]))))
    assert [event.body["event_type"] for event in made] == [
        "message.text",
        "message.text",
        "message.image",
        "status.sent",
        "status.read",
        "error",
        "message.text",
    ]
    assert len({event.event_id for event in made}) == 7
    assert [len(_wire(event.body["raw"])) for event in made] == [1] * 7


def test_unknown_fields_are_kept() -> None:
    """A field that Meta adds would be invisible until this project has heard of it."""
    event = _only(webhook(value(messages=[text("wamid.1", new={"deep": [1]}, text={"body": "b", "style": "bold"})])))
    assert isinstance(event, MessageEvent)
    assert isinstance(event.message, TextMessage)
    assert event.message.model_extra == {"new": {"deep": [1]}}
    assert event.message.text.model_extra == {"style": "bold"}


@pytest.mark.parametrize(
    "odd",
    [
        {"text": None},
        {"text": {}},
        {"text": {"body": [5]}},
        {"text": "Hello"},
        {"timestamp": "soon"},
        {"timestamp": "99999999999999"},
        {"timestamp": None},
        {"id": ""},
        {"from": ["15550001111"]},
    ],
    ids=str,
)
def test_an_odd_message_is_an_unknown_event(odd: Json) -> None:
    """One message of a wrong shape would stop its conversation, or be lost."""
    event = _only(webhook(value(messages=[text("wamid.1") | odd])))
    assert isinstance(event, UnknownEvent)
    assert event.event_type == "message.text"


@pytest.mark.parametrize("odd", [{"status": 5}, {"id": None}, {"timestamp": {}}], ids=str)
def test_an_odd_status_is_an_unknown_event(odd: Json) -> None:
    """One status of a wrong shape would stop its conversation, or be lost."""
    event = _only(webhook(value(statuses=[status("wamid.1") | odd])))
    assert isinstance(event, UnknownEvent)
    assert event.event_type.startswith("status.")


@pytest.mark.parametrize(
    "usual",
    [
        {"context": {"id": "wamid.0", "from": "15559990000"}},
        {"context": {"forwarded": True}},
        {"context": {"id": "w", "referred_product": {"catalog_id": "1", "product_retailer_id": "2"}}},
        {"context": None},
        {"referral": {"source_url": "u", "source_id": "1", "source_type": "post"}},
        {"timestamp": 1760000000},
        {"errors": [{"code": 1}]},
    ],
    ids=str,
)
def test_an_unusual_but_proper_message_keeps_its_type(usual: Json) -> None:
    """Replies, forwards and customers from ads would not reach `process_message`."""
    assert isinstance(_only(webhook(value(messages=[text("wamid.1") | usual]))), MessageEvent)


def _ids(whole: Json) -> set[str]:
    return {event.event_id for event in _wire(whole)}


@given(webhooks, webhooks)
def test_ids_are_the_same_in_another_batch(one: Json, other: Json) -> None:
    """A message that is delivered again beside others would be answered again."""
    assert _ids(merged(other, one)) == _ids(one) | _ids(other)


def _at(seconds: int, whole: Json) -> Json:
    return whole | {"entry": [entry | {"time": seconds} for entry in whole["entry"]]}


def test_ids_tell_events_apart() -> None:
    """A second status, member or number would be taken for a redelivery of the first."""
    group = {"recipient_type": "group", "recipient_id": "g"}
    wholes = [
        webhook(value(messages=[text("wamid.1")])),
        webhook(value("2", messages=[text("wamid.1")])),
        webhook(value(statuses=[status("wamid.1")])),
        webhook(value(statuses=[status("wamid.1", "read")])),
        webhook(value(statuses=[status("wamid.1", "read", "2")])),
        webhook(value(statuses=[status("wamid.1", "read", recipient_participant_id="3") | group])),
        webhook(value(statuses=[status("wamid.1", "read", recipient_participant_id="4") | group])),
        webhook(value(errors=[{"code": 1}])),
        webhook(value(errors=[{"code": 2}])),
        webhook(value(errors=[{"code": 1}]), field="calls"),
        webhook({"event": "PAUSED"}, field="a"),
        webhook({"event": "PAUSED"}, field="b"),
        webhook({"event": "PAUSED"}, field="b", waba="2"),
        _at(1760000000, webhook({"event": "PAUSED"}, field="b")),
        _at(1760000001, webhook({"event": "PAUSED"}, field="b")),
        webhook(value(calls=[{"id": "c", "event": "connect"}]), field="calls"),
        webhook(value(calls=[{"id": "c", "event": "terminate"}]), field="calls"),
        webhook(value(messages=[text("wamid.1")]), field="standby"),
    ]
    assert len({next(iter(_ids(whole))) for whole in wholes}) == len(wholes)


def test_a_message_keeps_its_id_whatever_its_type() -> None:
    """When a type gets a model, every redelivery of an older message would count as new."""
    for kind in ("image", "hologram"):
        assert _ids(webhook(value(messages=[text("wamid.1", type=kind)]))) == {f"{ACCOUNT}:wamid.1"}


@given(disfigured())
def test_nothing_inside_makes_it_raise(whole: Json) -> None:
    """One odd value would dead-letter everything that came with it."""
    for wire in _wire(whole):
        event = _decoded(wire)
        assert (event.event_id, event.kind, event.conversation) == (wire.event_id, wire.kind, wire.conversation)


@given(st.dictionaries(st.sampled_from(["object", "entry", "x"]), anything))
def test_no_object_makes_it_raise(whole: Json) -> None:
    """A webhook of another product of Meta's would stop the partition."""
    for wire in _wire(whole):
        _decoded(wire)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"null", b"\xff", None], ids=str)
def test_what_is_no_json_object_is_refused(body: bytes | None) -> None:
    """Unreadable bytes would vanish instead of becoming a dead letter."""
    with pytest.raises(InvalidRecord):
        list(parse_record(Raw(body)))


def test_the_refusal_does_not_quote_the_body() -> None:
    """A user's words would be in the logs and in the headers of the dead letter."""
    with pytest.raises(InvalidRecord) as refusal:
        list(parse_record(Raw(b'{"body": "my secret", }')))
    assert "secret" not in str(refusal.value)


def test_too_deep_to_be_written_is_refused() -> None:
    """The stage would fail later, on an event that can't be written, and retry it in vain."""
    deep = b'{"entry":[{"id":"1","changes":[{"field":"x","value":{"y":' + b"[" * 240 + b"]" * 240 + b"}}]}]}"
    for levels in (200, 240, 252, 400):
        try:
            made = list(parse_record(Raw(deep.replace(b"[" * 240 + b"]" * 240, b"[" * levels + b"]" * levels))))
        except InvalidRecord:
            continue
        assert all(event.encode("acme") for event in made)


@pytest.mark.parametrize(
    "headers", [(), (("received-at", b"soon"),), (("received-at", b""),), (("webhook-id", b"\xff"),)], ids=str
)
def test_missing_and_broken_headers_do_no_harm(headers: tuple[tuple[str, bytes], ...]) -> None:
    """A record that a person produced by hand would stop the partition."""
    (wire,) = parse_record(Raw(orjson.dumps(webhook(value(messages=[text("wamid.1")]))), headers))
    assert _decoded(wire).received_at.tzinfo is not None
