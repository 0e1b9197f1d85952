"""What becomes of the webhooks of WAHA's engines, in both shapes that are documented."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord
from pipeline.providers import PROVIDERS
from pipeline.testing import TestRecord
from pipeline.topics import headers
from pipeline.topics.events import AccountEvent, ErrorEvent, MessageEvent, StatusEvent, decode
from tests.support.cloud_webhooks import anything, places
from tests.support.gateway_conformance import hidden
from tests.support.gateway_engines import ENGINES, engine_webhook
from tests.support.gateway_webhooks import (
    ANA,
    CASES,
    GROUP,
    OWN,
    SESSION,
    Json,
    ack,
    case,
    event_of,
    examples,
    parsed,
    request,
    tenants,
    text,
    webhook,
    webhooks,
)
from tests.support.mutations import MUTATIONS
from tests.unit.providers.test_gateway_notices import PLACEHOLDERS
from tests.unit.providers.wasender.test_wasender_contents import CONTENTS

TYPES = {
    "wawp": [
        "message.unknown",  # the envelope alone, without a payload
        "session.status",
        "message.image",
        "message.text",
        "status.read",
        "message.reaction",
        "message.revoke",
        "user.presence",
        "call",
        "group.participants",
        "group",
        "message.text",
    ],
    "waha": [
        "session.status",
        "message.reaction",
        "status.read",
        "message.edit",
        "message.revoke",
        "message.waiting",
        "group",
        "group.participants",
        "user.presence",
        "message.poll_vote",
        "call",
        "chat",
        "label",
        "label",
        "event.response",
    ],
}


@pytest.mark.parametrize(
    ("provider", "content", "expected"),
    [
        (provider, content, expected)
        for provider, types in TYPES.items()
        for content, expected in zip(examples(provider), types, strict=True)
    ],
)
def test_every_documented_webhook_has_its_type(provider: str, content: Json, expected: str) -> None:
    """A handler would get a shrug where the provider's page promises an event."""
    wire = parsed(provider, content, None)
    event = event_of(provider, content)
    assert event.event_type == expected
    assert not isinstance(event, ErrorEvent)
    assert event.kind == "unknown" if expected == "message.unknown" else event.kind != "unknown"
    assert event.raw == content
    assert wire.conversation.startswith(f"{provider}:")


@pytest.mark.parametrize("provider", ["wawp", "waha"])
def test_a_message_that_comes_as_two_events_counts_once(provider: str) -> None:
    """Whoever subscribes to `message` and `message.any` would answer everything twice."""
    events = [parsed(provider, webhook(name, text(1), id=f"evt_{name}")) for name in ("message", "message.any")]
    assert len({event.event_id for event in events}) == 1
    assert {event.kind for event in events} == {"message"}


@pytest.mark.parametrize(
    ("value", "name", "status"),
    [
        (-1, "ERROR", "failed"),
        (0, "PENDING", "pending"),
        (1, "SERVER", "sent"),
        (2, "DEVICE", "delivered"),
        (3, "READ", "read"),
        (4, "PLAYED", "played"),
    ],
)
def test_acks_are_statuses(value: int, name: str, status: str) -> None:
    """Delivered would be told as read: the scale of other gateways is one off."""
    by_number, by_name = (event_of("wawp", webhook("message.ack", ack(1, value, given))) for given in (None, name))
    slip = event_of("wawp", webhook("message.ack", ack(1, -1, name)))
    assert by_number.status == by_name.status == slip.status == status
    assert by_number.event_id == f"wawp:{SESSION}:3EB00001:{status}:15550001111"
    assert (by_number.message_id, by_number.recipient_id) == (f"true_{ANA}_3EB00001", "15550001111")


@pytest.mark.parametrize("value", [5, -2, None, "9", "SEEN", 2.5, True, {}])
def test_an_ack_of_tomorrow_is_kept(value: Any) -> None:
    """A new level would be told as an old one, or be lost."""
    assert parsed("waha", webhook("message.ack", ack(1, value))).kind == "unknown"


def test_both_shapes_of_an_ack_are_one_status() -> None:
    """A host that moves from one build to the next would have every status handled twice."""
    page = parsed("waha", webhook("message.ack", ack(1, 3, "READ")))
    engine = {
        "id": f"true_{ANA}_3EB00001",
        "from": ANA,
        "participant": None,
        "fromMe": True,
        "ack": 3,
        "ackName": "READ",
    }
    assert parsed("waha", webhook("message.ack", engine)).event_id == page.event_id


def test_a_group_has_a_status_of_each_member() -> None:
    """Only the first reader of a group's message would be counted."""
    found = [
        event_of("waha", webhook("message.ack.group", ack(1, 3, chat=GROUP, participant=f"1555000222{n}@c.us")))
        for n in range(2)
    ]
    assert len({event.event_id for event in found}) == 2
    assert {event.conversation for event in found} == {f"waha:{SESSION}:{GROUP}"}
    assert [event.user.phone_number for event in found] == ["15550002220", "15550002221"]


def test_a_contact_has_one_conversation_in_all_kinds_of_events() -> None:
    """Messages, statuses, calls and reactions of one person would not be in order with each other."""
    engine = ANA.replace("@c.us", "@s.whatsapp.net")
    contents = [
        webhook("message", text(1)),
        webhook("message", text(2, engine)),
        webhook("message.ack", ack(1, 2)),
        webhook("message.reaction", text(3) | {"reaction": {"text": "👍", "messageId": f"true_{ANA}_A"}}),
        webhook("message.revoked", {"after": {"id": f"false_{ANA}_B"}, "revokedMessageId": "A", "before": None}),
        webhook("presence.update", {"id": ANA, "presences": []}),
        webhook("call.received", {"id": "CALL", "from": ANA, "isVideo": True}),
        webhook("poll.vote", {"vote": text(4) | {"selectedOptions": ["Yes"]}, "poll": {"id": f"true_{ANA}_P"}}),
        webhook("label.chat.added", {"labelId": "10", "chatId": ANA, "label": None}),
        webhook("message.any", {"id": f"true_{ANA}_C", "from": OWN, "to": ANA, "fromMe": True, "body": "x"}),
    ]
    assert {parsed("waha", each).conversation for each in contents} == {f"waha:{SESSION}:15550001111"}


def test_whose_number_is_hidden_can_be_answered() -> None:
    """People who hide their number would be nobody: no key, no cache, no answer."""
    event = event_of("waha", webhook("message", text(1, "777000111@lid")))
    assert (event.user.user_id, event.user.phone_number) == ("777000111@lid", "")
    assert event.conversation == f"waha:{SESSION}:777000111@lid"
    known = text(1, "777000111@lid", _data={"key": {"remoteJidAlt": "15550001111@s.whatsapp.net"}})
    assert event_of("waha", webhook("message", known)).user.user_id == "15550001111"


def test_a_group_message_names_group_and_writer() -> None:
    """The answer to one member would go nowhere, or the cache of one be everybody's."""
    content = text(1, GROUP, participant="15550002222@c.us")
    event = event_of("wawp", webhook("message", content))
    assert isinstance(event, MessageEvent)
    assert (event.user.user_id, event.message.group_id) == ("15550002222", GROUP)
    assert event.contact == GROUP
    assert event.message.model_extra == {"from_jid": "15550002222@c.us"}


@pytest.mark.parametrize("event", ["message", "message.any", "message.reaction", "message.edited", "message.revoked"])
def test_what_the_account_wrote_is_an_echo(event: str) -> None:
    """A handler that answers texts would answer itself for ever."""
    content = text(1) | {
        "id": f"true_{ANA}_A",
        "from": OWN,
        "to": ANA,
        "fromMe": True,
        "source": "api",
        "reaction": "👍",
    }
    found = event_of("wawp", webhook(event, content))
    assert isinstance(found, AccountEvent)
    assert (found.event_type, found.field, found.conversation) == ("echo", event, f"wawp:{SESSION}:15550001111")


def test_the_echo_brings_its_message() -> None:
    """An analytics agent could not see what a person wrote on the business' phone."""
    content = text(1) | {"id": f"true_{ANA}_A", "from": OWN, "to": ANA, "fromMe": True, "source": "app"}
    found = event_of("waha", webhook("message.any", content))
    assert found.action == "app"
    assert found.message.text_content == "Hello"


def test_a_story_is_no_message() -> None:
    """A handler would answer what a contact showed to everybody."""
    found = event_of("waha", webhook("message", text(1, "status@broadcast", participant=ANA)))
    assert isinstance(found, AccountEvent)
    assert found.event_type == "user.story"


MEDIA = {"url": "https://files.example/x", "mimetype": "image/jpeg", "filename": "x.jpg", "error": None}


@pytest.mark.parametrize(
    ("fields", "kind", "content"),
    [
        ({"media": MEDIA}, "image", {"url": MEDIA["url"], "mime_type": "image/jpeg", "caption": "Hello"}),
        ({"media": MEDIA | {"mimetype": "video/mp4"}}, "video", {"mime_type": "video/mp4"}),
        ({"media": MEDIA | {"mimetype": "audio/ogg; codecs=opus"}}, "audio", {"voice": True}),
        ({"media": MEDIA | {"mimetype": "audio/mpeg"}}, "audio", {"voice": False}),
        ({"media": MEDIA | {"mimetype": "application/pdf"}}, "document", {"filename": "x.jpg"}),
        ({"media": MEDIA | {"mimetype": "image/webp"}}, "sticker", {"mime_type": "image/webp"}),
        ({"media": None, "_data": {"type": "image"}}, "image", {"caption": "Hello"}),
        (
            {"location": {"latitude": "38.89", "longitude": "-77.1", "description": "HQ"}},
            "location",
            {"latitude": 38.89},
        ),
        (
            {"_data": {"type": "poll_creation", "pollName": "?", "pollOptions": [{"name": "a"}]}},
            "poll",
            {"options": ["a"]},
        ),
        ({"type": "text"}, "text", {"body": "Hello"}),
    ],
)
def test_what_a_message_holds(fields: Json, kind: str, content: Json) -> None:
    """Images, voice messages and places would arrive as unknown things."""
    event = event_of("wawp", webhook("message", text(1) | {"hasMedia": "media" in fields} | fields))
    assert isinstance(event, MessageEvent)
    assert event.message.type == kind
    held = event.message.model_dump(exclude_unset=True)[kind]
    assert held.items() >= content.items()


def test_vcards_are_contacts() -> None:
    """A contact that a user shares would be a text full of codes."""
    card = (
        "BEGIN:VCARD\nVERSION:3.0\nFN:Jane Doe\nORG:Acme;\nTEL;type=CELL;waid=911111111111:+91 11111 11111\nEND:VCARD"
    )
    event = event_of("waha", webhook("message", text(1) | {"vCards": [card]}))
    (contact,) = event.message.contacts
    assert (contact.display_name, contact.phones[0].wa_id, contact.org.company) == ("Jane Doe", "911111111111", "Acme")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"type": "list_response", "listResponse": {"singleSelectReply": {"selectedRowId": "opt1"}}}, "list_reply"),
        ({"type": "buttons_response", "selectedButtonId": "opt1"}, "button_reply"),
    ],
)
def test_a_choice_is_read(data: Json, kind: str) -> None:
    """A menu would be sent and its answer not understood."""
    event = event_of("waha", webhook("message", text(1, _data=data)))
    assert event.get_interactive_selection() == "opt1"
    assert event.message.interactive.type == kind


def test_context() -> None:
    """Replies and forwards would look like messages of their own."""
    reply = event_of(
        "waha", webhook("message", text(1, replyTo={"id": "true_1@c.us_A", "participant": OWN, "body": "q"}))
    )
    assert (reply.message.context.id, reply.message.is_reply) == ("true_1@c.us_A", True)
    often = event_of("waha", webhook("message", text(2, _data={"isForwarded": True, "forwardingScore": 7})))
    assert (often.was_forwarded(), often.forward_context.is_frequently_forwarded) == (True, True)


@pytest.mark.parametrize(
    ("event", "content", "kind", "target"),
    [
        ("message.revoked", {"id": f"false_{ANA}_A", "revokedBy": ANA}, "revoke", f"false_{ANA}_A"),
        ("message.revoked", {"after": {"id": f"false_{ANA}_D"}, "revokedMessageId": "A"}, "revoke", f"false_{ANA}_A"),
        ("message.edited", text(9) | {"editedMessageId": "A", "body": "New"}, "edit", f"false_{ANA}_A"),
        ("message.reaction", text(9) | {"reaction": "👍", "messageId": "true_x@c.us_A"}, "reaction", "true_x@c.us_A"),
    ],
)
def test_what_happens_to_a_message_names_it_by_its_own_id(event: str, content: Json, kind: str, target: str) -> None:
    """An edit or a deletion could not be brought together with the message that came before."""
    found = event_of("waha", webhook(event, content))
    assert (found.message.type, found.message.target_message_id) == (kind, target)


@pytest.mark.parametrize(("given", "removed"), [("", True), ({"text": "", "messageId": "A"}, True), ("👍", False)])
def test_an_empty_reaction_takes_it_back(given: Any, removed: bool) -> None:
    """A reaction that was taken back would count as a new one."""
    found = event_of("waha", webhook("message.reaction", text(1) | {"reaction": given, "messageId": "A"}))
    assert found.message.is_removing_reaction == removed


def test_builds_without_an_event_id_have_ids_all_the_same() -> None:
    """On older hosts every redelivery would be a new event."""
    bare = {"event": "call.received", "session": SESSION, "payload": {"id": "CALL1", "from": ANA, "isVideo": False}}
    other = bare | {"payload": {"id": "CALL2", "from": ANA, "isVideo": False}}
    assert parsed("waha", bare).event_id == parsed("waha", dict(bare)).event_id != parsed("waha", other).event_id


def test_times() -> None:
    """Events would be dated to 1970, or to the year 57000."""
    assert event_of("waha", webhook("message", text(1))).timestamp.timestamp() == 1760000000.123
    plain = {name: value for name, value in webhook("message", text(1)).items() if name != "timestamp"}
    assert event_of("waha", plain).timestamp.timestamp() == 1760000000
    assert event_of("waha", webhook("session.status", {"status": "WORKING"}, timestamp=None)).timestamp is not None


@given(st.lists(webhooks, min_size=1, max_size=10))
def test_ids_are_the_same_on_every_delivery_and_different_for_everything_else(contents: list[Json]) -> None:
    """Redeliveries would be handled again, or messages be dropped as redeliveries."""
    ids = [parsed("wawp", each).event_id for each in contents]
    assert len(set(ids)) == len(ids)
    assert ids == [parsed("wawp", orjson.loads(orjson.dumps(each))).event_id for each in contents]


CORPUS: list[Json] = [
    *examples("wawp"),
    *examples("waha"),
    *(each for name in CASES for each in case(name)),
    *(engine_webhook(engine, content) for engine in ENGINES for content, _, _ in CONTENTS),
    *(webhook("message", payload) for payload, _ in PLACEHOLDERS),
    *hidden("15550001111@s.whatsapp.net"),
]
"""What the pages show, what engines write, and what people reported."""


@st.composite
def _disfigured(draw: st.DrawFn) -> Json:
    whole: Json = orjson.loads(orjson.dumps(draw(st.one_of(webhooks, st.sampled_from(CORPUS)))))
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(places(whole))))
        holder[key] = draw(anything)
    return whole


@settings(max_examples=MUTATIONS, deadline=None)
@given(_disfigured())
def test_disfigured_webhooks_end_as_one_event(content: Json) -> None:
    """One odd webhook would stop its partition, vanish, or change its partition between two stages."""
    provider, body = PROVIDERS["waha"], orjson.dumps(content)
    (part,) = provider.split(request("waha", body), tenants("waha"))
    named = ((headers.ACCOUNT, part.account.encode()),) if part.account else ()
    try:
        (wire,) = provider.parse(TestRecord(part.body, headers=named))
    except InvalidRecord:
        return
    event = decode(TestRecord(wire.encode("acme")))
    assert (event.event_id, event.conversation) == (wire.event_id, part.key)
    assert isinstance(event, StatusEvent) == (wire.kind == "status")


@pytest.mark.parametrize("degrees", ["nan", "inf", "1e999", "-Infinity"])
def test_a_place_that_is_nowhere_is_no_location(degrees: str) -> None:
    """The event could be written and not be read: a dead letter in every lane, and in every consumer."""
    place = {"latitude": degrees, "longitude": "1"}
    event = event_of("waha", webhook("message", text(1, location=place, _data={"type": "location"})))
    assert (event.kind, event.event_type) == ("unknown", "message.location")


@pytest.mark.parametrize(("ack_name", "value"), [("read", None), ("Read", 1), (None, "3"), (None, 3)])
def test_an_ack_in_another_spelling_is_the_same_status(ack_name: str | None, value: Any) -> None:
    """A number in quotes would be no status: what was read would seem unread."""
    assert event_of("waha", webhook("message.ack", ack(1, value, ack_name))).status == "read"
