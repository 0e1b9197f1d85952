"""Wasender's webhooks become the events that its documents describe."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given

from pipeline.providers import PROVIDERS
from pipeline.testing import TestRecord
from pipeline.topics.events import AccountEvent, StatusEvent, UnknownEvent, decode
from tests.support.wasender_webhooks import (
    ANA,
    GROUP,
    SESSION,
    Json,
    events,
    examples,
    holding,
    key,
    messages,
    received,
    text,
    webhook,
    webhooks,
)

PREFIX = f"wasender:{SESSION}"
ARRIVED_MS = 1_760_000_000_500
OURS = key("3EB0OUT", fromMe=True)


def decoded(content: Json, at_ms: int = ARRIVED_MS) -> list[Any]:
    return [decode(TestRecord(wire.encode("acme"))) for wire in events(content, at_ms)]


def one(content: Json, at_ms: int = ARRIVED_MS) -> Any:
    (event,) = decoded(content, at_ms)
    return event


EXPECTED = {
    "messages.received": ("message.text", "message.image"),
    "messages.upsert": ("message.text",),
    "messages-group.received": ("message.text",),
    "messages-newsletter.received": ("message.text",),
    "messages.update": ("status.delivered",),
    "message.sent": ("status.sent",),
    "message-receipt.update": ("status.delivered",),
    "messages.reaction": ("message.reaction",),
    "messages.delete": ("message.revoke",),
    "session.status": ("session.status",),
    "qrcode.updated": ("session.qr",),
    "call": ("call",),
    "poll.results": ("poll.results",),
    "chats.upsert": ("chat",),
    "chats.update": ("chat",),
    "chats.delete": ("chat",),
    "groups.upsert": ("group",),
    "groups.update": ("group.settings",),
    "group-participants.update": ("group.participants",),
    "contacts.upsert": ("contact",),
    "contacts.update": ("contact",),
}


@pytest.mark.parametrize("example", examples(), ids=lambda each: str(each["event"]))
def test_every_documented_webhook_is_typed(example: Json) -> None:
    """An event that the provider documents would reach handlers as unknown."""
    (event,) = decoded(example)
    if example["data"]:
        assert event.event_type in EXPECTED[example["event"]]
        assert not isinstance(event, UnknownEvent)
    assert event.get_raw_webhook_data()["data"] == example["data"] or "qr" in example["data"]


def test_number_and_linked_id_are_told_together() -> None:
    """Nobody could find out that two conversations are one person."""
    told = key("3EB0", remoteJid="777000111:2@lid", cleanedSenderPn=ANA)
    user = one(received({"key": told, "message": {"conversation": "x"}, "pushName": "Ana"})).user
    assert (user.phone_number, user.lid, user.profile_name) == (ANA, "777000111@lid", "Ana")
    hidden = one(received({"key": key("3EB0", remoteJid="777000111@lid"), "message": {"conversation": "x"}})).user
    assert (hidden.phone_number, hidden.bsuid, hidden.user_id) == ("", "777000111@lid", "777000111@lid")


def test_in_a_group_the_member_is_the_user() -> None:
    """Answers and caches would be the group's, for all of its members."""
    told = key("3EB0", remoteJid=GROUP, participant="777000111@lid", cleanedParticipantPn=ANA)
    event = one(received({"key": told, "message": {"conversation": "x"}}, "messages-group.received"))
    assert (event.contact, event.message.group_id, event.user.user_id) == (GROUP, GROUP, ANA)
    assert event.message.conversation_type == "group"


@pytest.mark.parametrize(
    ("stamp", "wanted"),
    [
        (1_759_999_999, 1_759_999_999),
        ("1759999999", 1_759_999_999),
        (1_759_999_999_123, 1_759_999_999),
        ({"low": 1_759_999_999, "high": 0, "unsigned": True}, 1_759_999_999),
        (None, 1_760_000_000),
        ("soon", 1_760_000_000),
        (True, 1_760_000_000),
    ],
)
def test_seconds_milliseconds_and_long_ones(stamp: Any, wanted: int) -> None:
    """A message would be from 1970, or from the year 57000."""
    event = one(received(text("3EB0", messageTimestamp=stamp)))
    assert (event.message.timestamp, int(event.timestamp.timestamp())) == (wanted, wanted)


def test_without_any_time_the_arrival_counts() -> None:
    """An event of a version that sends none would be refused."""
    event = one({"event": "session.status", "data": {"status": "need_scan"}})
    assert event.timestamp == event.received_at == datetime.fromtimestamp(ARRIVED_MS / 1000, UTC)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        *enumerate(("failed", "pending", "sent", "delivered", "read", "played")),
        ("error", "failed"),
        ("PENDING", "pending"),
        ("3", "delivered"),
        ("DELIVERY_ACK", "delivered"),
        ("in_progress", "pending"),
    ],
)
def test_statuses_by_number_and_by_word(given: int | str, wanted: str) -> None:
    """A delivered message would count as read: the scale of the engines is one off."""
    event = one(webhook("messages.update", {"update": {"status": given}, "key": OURS}, 1_760_000_000_123))
    assert isinstance(event, StatusEvent)
    assert (event.status, event.message_id, event.recipient_id) == (wanted, "3EB0OUT", ANA)
    assert event.event_id == f"{PREFIX}:3EB0OUT:{wanted}:{ANA}"
    assert event.timestamp == datetime.fromtimestamp(1_760_000_000.123, UTC)


@pytest.mark.parametrize("status", [6, -1, True, 1.5, "dreamed", None, {}])
def test_a_status_of_tomorrow_is_unknown(status: Any) -> None:
    """It would be mapped to something that it does not mean."""
    event = one(webhook("messages.update", {"update": {"status": status}, "key": OURS}))
    assert isinstance(event, UnknownEvent)
    assert event.event_type == "field.messages.update"


@pytest.mark.parametrize("listed", [True, False])
def test_statuses_as_a_list(listed: bool) -> None:
    """All but the first would be lost of a version that sends lists."""
    entries = [{"update": {"status": n}, "key": OURS} for n in (2, 3)]
    found = decoded(webhook("messages.update", entries if listed else entries[0]))
    assert [event.status for event in found] == (["sent", "delivered"] if listed else ["sent"])


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"success": True}, "sent"),
        ({"success": False, "error": "no such number"}, "failed"),
        ({"status": "sent"}, "sent"),
        ({"status": "in_progress", "success": True}, "pending"),
    ],
)
def test_the_result_of_a_send(data: Json, status: str) -> None:
    """A business would not hear that its message failed, and could not tell which one."""
    event = one(webhook("message.sent", {"key": OURS | {"msgId": 100000}, "message": {}} | data))
    assert (event.status, event.model_extra["msg_id"]) == (status, "100000")
    assert event.model_extra.get("error") == data.get("error")


@pytest.mark.parametrize(
    ("receipt", "status"),
    [
        ({"receiptTimestamp": 1_759_999_990}, "delivered"),
        ({"receiptTimestamp": 1_759_999_990, "readTimestamp": 1_759_999_991}, "read"),
        ({"status": "played", "t": 1_759_999_990}, "played"),
    ],
)
@pytest.mark.parametrize("shape", [lambda each: {"message": each}, lambda each: [each], lambda each: each])
def test_receipts_of_a_group_are_each_members(receipt: Json, status: str, shape: Any) -> None:
    """One member who read it would be all of them."""
    entry = {"key": key("A", remoteJid=GROUP, fromMe=True), "receipt": {"userJid": f"{ANA}:1@s.whatsapp.net"} | receipt}
    event = one(webhook("message-receipt.update", shape(entry), 1_760_000_000_123))
    assert (event.status, event.recipient_type, event.recipient_id, event.user.phone_number) == (
        status,
        "group",
        GROUP,
        ANA,
    )
    assert event.event_id == f"{PREFIX}:{GROUP}:A:{status}:{ANA}"
    assert event.timestamp.timestamp() in (1_759_999_990, 1_759_999_991)


def test_a_reaction_is_one_however_it_comes() -> None:
    """It would be handled twice: once as a message, once as an event of its own."""
    own = key("3EB0R", senderPn=f"{ANA}@s.whatsapp.net")
    told = {"key": OURS, "reaction": {"text": "👍", "key": own, "senderTimestampMs": "1759999990123"}}
    reaction = one(webhook("messages.reaction", [told]))
    assert (reaction.message.target_message_id, reaction.message.emoji) == ("3EB0OUT", "👍")
    assert reaction.message.timestamp == 1_759_999_990
    as_message = one(received(holding({"reactionMessage": {"key": OURS, "text": "👍"}}, "3EB0R")))
    assert reaction.event_id == as_message.event_id == f"{PREFIX}:3EB0R"


def test_reactions_without_an_id_are_told_apart() -> None:
    """A reaction that replaces another one would be dropped as a redelivery."""
    reacted = key("3EB0")
    made = [(ANA, "👍", 1), (ANA, "👎", 1), (ANA, "", 1), (ANA, "👍", 2), ("15550002222", "👍", 1)]
    ids = [
        one(
            webhook("messages.reaction", [{"key": reacted, "reaction": {"text": emoji, "key": key("3EB0", who)}}], at)
        ).event_id
        for who, emoji, at in made
    ]
    assert len(set(ids)) == len(made)


def test_a_deletion_is_one_however_it_comes() -> None:
    """It would be handled twice: once as a message, once as an event of its own."""
    deleted = decoded(webhook("messages.delete", {"keys": [key("A"), key("B")]}))
    as_message = one(received(holding({"protocolMessage": {"type": 0, "key": {"id": "A"}}}, "3EB0P")))
    assert [event.message.target_message_id for event in deleted] == ["A", "B"]
    assert deleted[0].event_id == as_message.event_id != deleted[1].event_id


@pytest.mark.parametrize(
    "content",
    [
        webhook("messages.upsert", {"messages": [{"key": OURS, "message": {"conversation": "You said: hi"}}]}),
        webhook("messages.upsert", {"messages": [{"key": OURS, "message": {"hologramMessage": {}}}]}),
        webhook("messages.reaction", [{"key": key("A"), "reaction": {"text": "👍", "key": OURS}}]),
        webhook("messages.delete", {"keys": [OURS]}),
    ],
)
def test_what_the_session_did_itself_is_no_message(content: Json) -> None:
    """A handler would answer its own answers, for ever."""
    event = one(content)
    assert isinstance(event, AccountEvent)
    assert (event.event_type, event.contact) == ("echo", ANA)


def test_an_echo_holds_the_message() -> None:
    """Nobody could see what was written to a customer from the phone."""
    event = one(webhook("messages.upsert", {"messages": text("A", body="Sold!") | {"key": OURS}}))
    assert event.message.text_content == "Sold!"


def test_a_story_is_no_message() -> None:
    """A handler would answer everybody's stories."""
    told = key("3EB0", remoteJid="status@broadcast", participant=f"{ANA}@s.whatsapp.net")
    event = one(webhook("messages.upsert", {"messages": {"key": told, "message": {"conversation": "Lunch"}}}))
    assert isinstance(event, AccountEvent)
    assert (event.event_type, event.contact) == ("user.story", "status@broadcast")


def test_account_events_have_the_shape_of_their_models() -> None:
    """Handlers would need to know each provider's words for one thing."""
    status = one(webhook("session.status", {"status": "connected"}))
    assert (status.detail.status, status.detail.is_connected, status.contact) == ("CONNECTED", True, None)
    code = one({"event": "qrcode.updated", "data": {"qr": "2@AbCd"}})
    assert code.detail.qr.startswith("sha256:")
    call = one(webhook("call", {"call": {"id": "C", "from": ANA, "status": "offer", "isVideo": True}}))
    assert (call.call_id, call.detail.event, call.detail.video, call.user.phone_number) == ("C", "offer", True, ANA)
    members = webhook("group-participants.update", {"jid": GROUP, "participants": [ANA, "7@lid"], "action": "remove"})
    assert [each.wa_id or each.user_id for each in one(members).detail.removed_participants] == [ANA, "7@lid"]
    promoted = members["data"] | {"action": "promote", "participants": [{"id": ANA, "admin": "admin"}]}
    (admin,) = one(webhook("group.participants.update", promoted)).detail.participants
    assert (admin.wa_id, admin.role) == (ANA, "admin")
    contact = one(
        webhook("contacts.upsert", [{"id": "7@lid", "phoneNumber": f"{ANA}@s.whatsapp.net", "notify": "Ana"}])
    )
    assert contact.detail.contact["full_name"] == "Ana"
    chat = one(webhook("chats.delete", [ANA]))
    assert (chat.action, chat.detail.chat_id, chat.user.phone_number) == ("delete", ANA, ANA)
    polls = one(webhook("poll.results", {"key": OURS, "pollResult": [{"name": "Yes", "voters": [ANA]}]}))
    assert polls.detail.results == [{"name": "Yes", "voters": [ANA]}]


def test_the_same_status_later_is_another_event() -> None:
    """A session that is lost for the second time in a week would not be reported."""
    lost: Json = {"event": "session.status", "data": {"status": "disconnected"}}
    ids = [one(lost, at_ms).event_id for at_ms in (ARRIVED_MS, ARRIVED_MS + 1000, ARRIVED_MS + 3_600_000)]
    assert ids[0] == ids[1] != ids[2]
    timed = [one(webhook("session.status", {"status": "disconnected"}, at)).event_id for at in (1, 1, 2)]
    assert timed[0] == timed[1] != timed[2]


def test_a_call_is_one_event_a_step() -> None:
    """A call that ends would be dropped as the redelivery of its beginning."""
    ids = {
        one(webhook("call", {"call": {"id": "C", "from": ANA, "status": step}})).event_id
        for step in ("offer", "accept", "terminate")
    }
    assert len(ids) == 3


def test_wasenders_own_number_is_kept() -> None:
    """Nobody could quote a customer's message: quoting takes this number."""
    assert one(received(text("A") | {"key": key("A", msgId=17)})).message.model_extra["msg_id"] == "17"


def test_a_record_without_an_account_belongs_to_nobody() -> None:
    """It would be given to somebody; route makes it a dead letter that names what is missing."""
    (wire,) = PROVIDERS["wasender"].parse(TestRecord(orjson.dumps(received(text("A")))))
    assert (wire.body["account"], wire.conversation) == ("", "wasender")


@given(webhooks)
def test_every_message_is_one_event_with_an_id_of_its_own(content: Json) -> None:
    """A message would be lost, or dropped as the redelivery of another one."""
    found = events(content)
    assert len({event.event_id for event in found}) == len(found) == len(content["data"]["messages"])


@given(messages)
def test_batched_or_alone_it_is_the_same_event(item: Json) -> None:
    """A redelivery in another batch would be handled again."""
    (alone,) = events(received(item))
    batched = events(webhook("messages.upsert", {"messages": [text("other", "15550009999"), item]}))
    assert alone.event_id in {event.event_id for event in batched}
