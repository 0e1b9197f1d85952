"""One odd leaf: it is left out and noted, and the message or the status stays what it is. Every provider."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final, NamedTuple

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord
from pipeline.providers import PROVIDERS
from pipeline.providers.cloud import statuses
from pipeline.providers.shared.shapes import validates
from pipeline.testing import TestRecord
from pipeline.topics import headers
from pipeline.topics.events import AccountEvent, MessageEvent, StatusEvent, decode
from pipeline.topics.events.account_types import AccountEventType
from pipeline.topics.events.details import TemplateStatus, detail_of
from pipeline.topics.events.lenient import MAX_ERRORS
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.receipts import receipt_of
from tests.support import gateway_webhooks, wasender_webhooks
from tests.support.cloud_webhooks import anything, examples, places, status, value, webhook

Json = dict[str, Any]

PRICING = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"}
FAILED = status("wamid.F", "failed", biz_opaque_callback_data="cmd-1", pricing=PRICING) | {
    "errors": [{"code": 131026, "title": "t", "message": "m", "error_data": {"details": "x"}}],
    "conversation": {"id": "c", "expiration_timestamp": "1760086400", "origin": {"type": "utility"}},
}
IDENTIFYING: Final = frozenset(
    {"id", "from", "from_user_id", "user_id", "wa_id", "timestamp", "type", "status", "group_id", "object", "field"}
    | {"recipient_id", "recipient_user_id", "recipient_type", "phone_number_id", "previous_user_id", "event"}
    | {"recipient_participant_id", "recipient_participant_user_id"}
    | {"fromMe", "remoteJid", "remoteJidAlt", "participant", "participantPn", "participantAlt", "author", "session"}
    | {"key", "keys", "messages", "message", "data", "payload", "receipt", "update", "to", "chatId", "senderPn"}
    | {"cleanedSenderPn", "cleanSenderPn", "cleanedParticipantPn", "ack", "ackName", "success", "messageTimestamp"}
)
"""Fields that say what an event is, whose, or when; and what is around them."""

CONTENTS: Final = frozenset({("message", "conversation"), ("payload", "reaction")})
"""What was written itself, in gateways' words: without it another field tells, in another shape it can't be read."""


class Case(NamedTuple):
    """A webhook and a leaf of it."""

    provider: str
    whole: Json
    path: tuple[Any, ...]

    def without(self) -> Json:
        whole = deepcopy(self.whole)
        del _at(whole, self.path[:-1])[self.path[-1]]
        return whole

    def holding(self, odd: Any) -> Json:
        whole = deepcopy(self.whole)
        _at(whole, self.path[:-1])[self.path[-1]] = odd
        return whole


def _at(node: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        node = node[part]
    return node


def _leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in items:
        yield from _leaves(child, (*path, name))


def _events(provider: str, whole: Json) -> list[ParsedEvent]:
    account = {"wasender": wasender_webhooks.SESSION}.get(provider, gateway_webhooks.SESSION)
    named = ((headers.RECEIVED_AT, b"1760000000500"), (headers.ACCOUNT, account.encode()))
    try:
        return list(PROVIDERS[provider].parse(TestRecord(orjson.dumps(whole), headers=named)))
    except InvalidRecord:
        return []


def _cases() -> Iterator[Case]:
    """Every leaf without which the one event of its webhook is the same message or status."""
    corpus = [("cloud", whole) for whole in (*examples(), webhook(value(statuses=[FAILED])))]
    corpus += [("wasender", whole) for whole in wasender_webhooks.examples()]
    corpus += [(name, whole) for name in ("waha", "wawp") for whole in gateway_webhooks.examples(name)]
    for provider, whole in corpus:
        made = _events(provider, whole)
        if len(made) != 1 or made[0].kind not in ("message", "status"):
            continue
        for path in _leaves(whole):
            case = Case(provider, whole, path)
            if not isinstance(path[-1], int) and path[-1] not in IDENTIFYING and path[-2:] not in CONTENTS:
                bare = _events(provider, case.without())
                if [_identity(event) for event in bare] == [_identity(made[0])]:
                    yield case


def _identity(event: ParsedEvent) -> tuple[Any, ...]:
    return event.kind, event.event_id, event.get("event_type"), event.conversation, event.account


CASES: Final = list(_cases())


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, len(CASES) - 1), anything | st.sampled_from([None, [None], {}, "", 0, [[]], [{}], 10**18]))
def test_an_odd_leaf_changes_nothing_but_itself(number: int, odd: Any) -> None:
    """A message would reach no handler, or a status settle no send, for a null in a field that nobody reads."""
    case = CASES[number]
    (before,) = _events(case.provider, case.whole)
    (after,) = _events(case.provider, case.holding(odd))
    if case.provider == "cloud" or isinstance(odd, type(_at(case.whole, case.path))) is False:
        assert (after.kind, after.event_id) == (before.kind, before.event_id)
    assert after.body["raw"] == case.holding(odd)
    event = decode(TestRecord(after.encode("acme")))
    assert event.event_id == after.event_id
    if case.provider == "cloud":
        _unchanged(before.body, after.body, case.path)


def _unchanged(before: Json, after: Json, path: tuple[Any, ...]) -> None:
    """Every field of the message, or of the status, that the leaf is not in."""
    held = "message" if before["kind"] == "message" else None
    old, new = (before[held], after[held]) if held else (before, after)
    hit = {statuses.NAMES.get(part, part) for part in path} | {"raw", "ignored_fields", "user", "display_phone_number"}
    for name in old.keys() - hit:
        assert new[name] == old[name]


def test_there_are_leaves_of_every_provider() -> None:
    """The property would hold because it looks at nothing."""
    assert {case.provider for case in CASES} == {"cloud", "wasender", "waha", "wawp"}
    assert len(CASES) > 300


@pytest.mark.parametrize(
    ("item", "ignored"),
    [
        ({"errors": [{"code": 1, "title": None}]}, ["errors.0.title"]),
        ({"errors": [{"code": None}, 5, {"code": 2}]}, ["errors.0", "errors.1"]),
        ({"errors": "none"}, ["errors"]),
        ({"pricing": []}, ["pricing"]),
        ({"pricing": {"billable": {}, "category": "utility"}}, ["pricing.billable"]),
        ({"conversation": "c"}, ["conversation_window"]),
        ({"conversation": {"id": "c", "origin": 7}}, ["conversation_window.origin"]),
        ({"recipient_identity_key_hash": [1]}, ["recipient_identity_hash"]),
    ],
)
def test_a_status_with_an_odd_leaf_still_tells_of_its_command(item: Json, ignored: list[str]) -> None:
    """A send in doubt would be made again though its provider has confirmed it."""
    odd = webhook(value(statuses=[status("wamid.1", "failed", biz_opaque_callback_data="cmd-9") | item]))
    (wire,) = _events("cloud", odd)
    event = decode(TestRecord(wire.encode("acme")))
    assert isinstance(event, StatusEvent)
    assert (event.command_id, event.ignored_fields) == ("cmd-9", ignored)
    assert receipt_of(wire) is not None


def _card(**more: Any) -> Json:
    return {"name": {"formatted_name": "Bob"}, "phones": [{"phone": "+1555"}], **more}


@pytest.mark.parametrize(
    ("content", "ignored"),
    [
        ({"type": "contacts", "contacts": [_card(emails=None)]}, ["message.contacts.0.emails"]),
        (
            {"type": "contacts", "contacts": [_card(), 5, _card(phones=[1, {"phone": "2"}, None], org=[])]},
            [
                "message.contacts.1",
                "message.contacts.2.org",
                "message.contacts.2.phones.0",
                "message.contacts.2.phones.2",
            ],
        ),
        ({"type": "text", "text": {"body": "x"}, "context": "yes"}, ["message.context"]),
        ({"type": "text", "text": {"body": "x"}, "context": {"id": [], "forwarded": True}}, ["message.context.id"]),
        ({"type": "text", "text": {"body": "x"}, "referral": [1]}, ["message.referral"]),
        ({"type": "text", "text": {"body": "x"}, "errors": {}}, ["message.errors"]),
        ({"type": "image", "image": {"id": "1", "caption": {}}}, ["message.image.caption"]),
        ({"type": "text", "text": {"body": "x"}, "from_user_id": False}, ["message.from_user_id"]),
    ],
)
def test_a_message_says_what_was_left_out_of_it(content: Json, ignored: list[str]) -> None:
    """A handler could not tell a contact without an address from one whose address was not understood."""
    item = {"from": "15550001111", "id": "wamid.1", "timestamp": "1760000000", **content}
    (wire,) = _events("cloud", webhook(value(messages=[item])))
    event = decode(TestRecord(wire.encode("acme")))
    assert isinstance(event, MessageEvent)
    assert sorted(event.ignored_fields) == sorted(ignored)
    assert event.raw["entry"][0]["changes"][0]["value"]["messages"] == [item]


def test_an_id_that_is_a_number_is_read() -> None:
    """What is known would be left out, and a person's messages be in two conversations."""
    item = {"from": 15550001111, "id": "wamid.1", "timestamp": 1760000000, "type": "text", "text": {"body": "x"}}
    (wire,) = _events("cloud", webhook(value(messages=[item | {"context": {"id": 77}}])))
    event = decode(TestRecord(wire.encode("acme")))
    assert isinstance(event, MessageEvent)
    assert (event.conversation, event.user.phone_number) == ("cloud:100200300400500:15550001111", "15550001111")
    assert (event.message.original_message_id, event.ignored_fields) == ("77", [])


NUMBERED: Final = {
    "cloud": webhook(value(messages=[{"from": "1", "id": 7, "timestamp": "1", "type": "text", "text": {"body": "x"}}])),
    "cloud status": webhook(value(statuses=[FAILED | {"id": 7}])),
    "cloud, no model": webhook(value(messages=[{"from": "1", "id": 7, "timestamp": "1", "type": "hologram"}])),
    "wasender": wasender_webhooks.received(
        wasender_webhooks.text("A") | {"key": wasender_webhooks.key("A") | {"id": 7}}
    ),
    "wasender status": wasender_webhooks.webhook(
        "messages.update", [{"key": {"id": 7, "fromMe": True, "remoteJid": "1@c.us"}, "update": {"status": 3}}]
    ),
    "waha": gateway_webhooks.webhook("message", gateway_webhooks.text(1, id=7)),
    "waha status": gateway_webhooks.webhook("message.ack", gateway_webhooks.ack(1, 3) | {"id": 7, "fromMe": True}),
}


@pytest.mark.parametrize("name", NUMBERED)
def test_a_message_whose_id_is_a_number_keeps_it(name: str) -> None:
    """It would be an unknown event, or come twice: under an id of its content, and under the message's."""
    (event,) = _events(name.partition(" ")[0].strip(","), NUMBERED[name])
    kind = "status" if "status" in name else "unknown" if "model" in name else "message"
    found = decode(TestRecord(event.encode("acme")))
    assert (found.kind, found.event_id.split(":")[2]) == (kind, "7")


@pytest.mark.parametrize(
    "odd",
    [
        {"from": {}},
        {"group_id": []},
        {"text": {"body": None}},
        {"text": None},
        {"timestamp": None},
    ],
)
def test_what_says_which_message_it_is_can_not_be_left_out(odd: Json) -> None:
    """A handler would answer nobody, or answer a text that was never read."""
    item = {"from": "15550001111", "id": "wamid.1", "timestamp": "1760000000", "type": "text", "text": {"body": "x"}}
    (wire,) = _events("cloud", webhook(value(messages=[item | odd])))
    assert (wire.kind, wire.body["part"]) == ("unknown", item | odd)


def test_an_echo_without_its_message_is_an_echo() -> None:
    """An odd leaf in what the business itself wrote would hide that it wrote."""
    item = {"from": "1", "to": "2", "id": "wamid.1", "timestamp": "1760000000", "type": "image", "image": {"id": "1"}}
    whole = webhook(value(message_echoes=[item | {"referral": 5}]), field="smb_message_echoes")
    (wire,) = _events("cloud", whole)
    assert (wire.kind, wire.body["ignored_fields"]) == ("account", ["message.referral"])
    event = decode(TestRecord(wire.encode("acme")))
    assert isinstance(event, AccountEvent)
    assert event.message is not None


def test_more_odd_leaves_than_any_provider_sends_are_no_message() -> None:
    """A hostile webhook would take a worker's time and memory, one leaf at a time."""
    item = {"from": "1", "id": "wamid.1", "timestamp": "1760000000", "type": "contacts", "contacts": [5] * MAX_ERRORS}
    (few,) = _events("cloud", webhook(value(messages=[item])))
    (many,) = _events("cloud", webhook(value(messages=[item | {"contacts": [5] * (MAX_ERRORS + 1)}])))
    assert (few.kind, many.kind) == ("message", "unknown")


def test_a_detail_is_read_without_the_odd_leaf() -> None:
    """A handler that matches on the type of a template's change would not see one with a null in it."""
    found = detail_of(AccountEventType.TEMPLATE_STATUS, {"event": "PAUSED", "reason": {}, "message_template_name": "n"})
    assert isinstance(found, TemplateStatus)
    assert (found.event, found.message_template_name) == ("PAUSED", "n")


def test_what_is_left_out_stays_in_the_raw_form() -> None:
    """Nobody could find out what the provider had sent."""
    whole = webhook(value(statuses=[FAILED | {"errors": [{"code": 1, "title": None}]}]))
    before = deepcopy(whole)
    _events("cloud", whole)
    assert whole == before
    assert list(places(whole))


def test_several_odd_leaves_of_which_one_takes_the_message_along() -> None:
    """The parser would fail on it, and a batch with other people's messages be a dead letter."""
    item = {"from": "1", "id": "wamid.1", "timestamp": "1760000000", "type": "image", "image": {"id": "1"}}
    odd = item | {"group_id": [], "referral": 5, "context": 5, "errors": [5]}
    (wire,) = _events("cloud", webhook(value(messages=[odd])))
    assert wire.kind == "unknown"


def test_a_provider_that_names_nobody_makes_no_message() -> None:
    """A handler would answer nobody."""
    (wire,) = _events("cloud", webhook(value(statuses=[FAILED])))
    message = {"id": "1", "timestamp": 1, "type": "text", "text": {"body": "x"}}
    body = wire.body | {"kind": "message", "message": message, "user": {"phone_number": None, "username": "ana"}}
    assert not validates(dict(body))
    assert validates(body | {"user": {"phone_number": None, "bsuid": "US.1"}})
