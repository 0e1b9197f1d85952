"""Wasender: what is no message that somebody wrote to the business, though it comes as one."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.testing import TestRecord
from pipeline.topics.events import AccountEvent, MessageEvent, StatusEvent, UnknownEvent, decode
from tests.support.gateway_webhooks import case
from tests.support.wasender_webhooks import ANA, GROUP, SESSION, Json, events, key, received, text, webhook

PREFIX = f"wasender:{SESSION}"
STUBS: list[tuple[Json, str]] = [
    ({"messageStubType": 2, "messageStubParameters": ["No session record"]}, "message.ciphertext"),
    ({"messageStubType": "CIPHERTEXT", "message": None}, "message.ciphertext"),
    ({"messageStubType": 2, "message": {"messageContextInfo": {}}}, "message.ciphertext"),
    ({"messageStubType": 40}, "message.call_missed_voice"),
    ({"messageStubType": 127}, "message.stub_127"),
    ({"messageStubType": "GROUP_CREATE"}, "message.group_create"),
    ({"message": {"placeholderMessage": {"type": "MASK_LINKED_DEVICES"}}}, "message.placeholder"),
    ({"message": {"senderKeyDistributionMessage": {"groupId": GROUP}}}, "message.senderKeyDistribution"),
    ({"message": {"viewOnceMessageV2": {"message": {}}}}, "message.unknown"),
    ({"message": {"conversation": ""}}, "message.unknown"),
    ({"message": {"extendedTextMessage": {"text": "", "contextInfo": {}}}}, "message.extendedText"),
    ({"message": {}}, "message.unknown"),
    ({}, "message.unknown"),
]
"""What stands where a message is not, or not yet."""


def one(content: Json) -> Any:
    (wire,) = events(content)
    return decode(TestRecord(wire.encode("acme")))


def placeholder(held: Json, **more: Any) -> Json:
    return {"key": key("3EB0", **more), "messageTimestamp": 1_759_999_999, "pushName": "Ana"} | held


def after_deduplication(*contents: Json) -> list[Any]:
    """The events that are left when each id counts once, the first that has it."""
    found: dict[str, Any] = {}
    for content in contents:
        event = one(content)
        found.setdefault(event.event_id, event)
    return list(found.values())


@pytest.mark.parametrize(("held", "name"), STUBS)
@pytest.mark.parametrize("order", list(permutations(("placeholder", "real"))))
def test_a_placeholder_hides_nothing(held: Json, name: str, order: tuple[str, ...]) -> None:
    """A message that could not be decrypted at once would be dropped as a duplicate when it can: nobody answers."""
    made = {"placeholder": received(placeholder(held)), "real": received(text("3EB0", body="the real text"))}
    found = after_deduplication(*(made[each] for each in (*order, *order)))
    assert {type(each) for each in found} == {UnknownEvent, MessageEvent}
    texts = [each.get_message_text() for each in found if isinstance(each, MessageEvent)]
    assert (texts, {each.event_type for each in found}) == (["the real text"], {name, "message.text"})


def test_the_documented_placeholder_and_its_message() -> None:
    """The same, as it was reported."""
    found = after_deduplication(*case("wasender-placeholder-then-real"))
    assert [each.event_type for each in found] == ["message.ciphertext", "message.text"]
    assert found[0].event_id == f"{PREFIX}:3EB0PLACE1:notice:ciphertext"
    assert found[1].event_id == f"{PREFIX}:3EB0PLACE1"
    assert (found[1].get_message_text(), found[0].user.phone_number) == ("the real text", "15551110001")


@pytest.mark.parametrize("held", [held for held, _ in STUBS])
def test_the_placeholder_of_an_echo_hides_no_echo(held: Json) -> None:
    """What was written on the business' phone would be missing in every report."""
    real = {"key": key("3EB0", fromMe=True), "message": {"conversation": "Sold!"}}
    found = after_deduplication(received(placeholder(held, fromMe=True)), received(real))
    assert [type(each) for each in found] == [AccountEvent, AccountEvent]
    assert [each.message.text_content for each in found if each.message] == ["Sold!"]


def test_a_text_beside_the_keys_of_a_group_is_a_text() -> None:
    """The first message of everybody in a group, which brings a key along, would be taken for a placeholder."""
    held = {"senderKeyDistributionMessage": {"groupId": GROUP}, "messageContextInfo": {}, "conversation": "Hi"}
    event = one(received({"key": key("A", remoteJid=GROUP, participant=f"{ANA}@s.whatsapp.net"), "message": held}))
    assert (event.get_message_text(), event.event_id) == ("Hi", f"{PREFIX}:{GROUP}:A")


def test_an_edit_that_comes_under_the_messages_id_is_an_edit() -> None:
    """It would be dropped as a duplicate of the message, or be answered as a message of its own."""
    changed = {"editedMessage": {"message": {"conversation": "New"}}, "messageContextInfo": {}}
    later = {"key": key("3EB0"), "message": changed, "messageTimestamp": 1_760_000_100}
    before, edit = after_deduplication(received(text("3EB0", body="Old")), received(later), received(later))
    assert (before.get_message_text(), edit.get_message_text()) == ("Old", "")
    assert (edit.message.edited_text, edit.message.target_message_id) == ("New", "3EB0")


def test_an_odd_own_reaction_hides_no_message() -> None:
    """A reaction without a model had the id of the message that it is about, and took its place."""
    odd = one(webhook("messages.reaction", [{"key": key("A", fromMe=True), "reaction": "👍"}]))
    own = one(received({"key": key("A", fromMe=True), "message": {"conversation": "Hi"}}))
    assert odd.event_id != own.event_id


@pytest.mark.parametrize("data", [case("wasender-own-read-of-incoming")[0]["data"], None])
@pytest.mark.parametrize("from_me", [False, "false", "False", 0, "0"])
@pytest.mark.parametrize("event", ["messages.update", "message-receipt.update"])
def test_reading_a_users_message_is_no_status(data: Any, from_me: Any, event: str) -> None:
    """A business would be told that its answer was read when it had only read the question itself."""
    read = {"key": key("3EB0IN", fromMe=from_me), "update": {"status": 4}, "receipt": {"readTimestamp": 1_759_999_999}}
    found = one(webhook(event, data if data and from_me is False and event == "messages.update" else [read]))
    assert isinstance(found, UnknownEvent)
    assert found.event_type == f"field.{event}"


@pytest.mark.parametrize("from_me", [True, "true", 1, None])
def test_a_status_of_what_the_account_sent_stays_one(from_me: Any) -> None:
    """A delivery would be lost because a version writes a flag in another way."""
    found = one(webhook("messages.update", {"key": key("A", fromMe=from_me), "update": {"status": 4}}))
    assert isinstance(found, StatusEvent)
    assert found.status == "read"


@pytest.mark.parametrize("from_me", [True, "true", "True", "TRUE", 1, "1", 2, "yes", [], {}, 1.0])
@pytest.mark.parametrize("event", ["messages.upsert", "messages.received", "messages.reaction", "messages.delete"])
def test_what_may_be_our_own_message_is_never_a_users(from_me: Any, event: str) -> None:
    """A bot would answer itself, for ever."""
    own = key("A", fromMe=from_me)
    data: dict[str, Any] = {
        "messages.reaction": [{"key": key("B"), "reaction": {"text": "👍", "key": own}}],
        "messages.delete": {"keys": [own]},
    }
    found = one(
        webhook(event, data.get(event, {"messages": {"key": own, "message": {"conversation": "You said: hi"}}}))
    )
    assert isinstance(found, AccountEvent)
    assert found.event_type == "echo"


@pytest.mark.parametrize("from_me", [False, "false", 0, "0", None, ""])
def test_what_a_user_wrote_stays_a_message(from_me: Any) -> None:
    """Nobody would be answered by an installation that writes a flag in another way."""
    assert isinstance(one(received(text("A") | {"key": key("A", fromMe=from_me)})), MessageEvent)


_held = st.sampled_from([held for held, _ in STUBS])
_deliveries = st.lists(
    st.one_of(_held, st.just({"message": {"conversation": "the real text"}})), min_size=1, max_size=8
)


@given(_deliveries)
def test_whatever_comes_first_the_real_message_arrives_once(deliveries: list[Json]) -> None:
    """In some order of placeholders, retries and the message a user would be answered never, or twice."""
    found = after_deduplication(*(received(placeholder(held)) for held in deliveries))
    texts = [each.get_message_text() for each in found if isinstance(each, MessageEvent)]
    real = [held for held in deliveries if held.get("message", {}) == {"conversation": "the real text"}]
    assert texts == ["the real text"] * min(1, len(real))
