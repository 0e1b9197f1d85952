"""WAHA and Wawp: a message is the same whichever engine read it, and by whichever address its writer is named."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.providers import PROVIDERS
from pipeline.providers.base import Slice
from pipeline.topics.events import AccountEvent, MessageEvent, StatusEvent, UnknownEvent
from tests.support.cloud_webhooks import anything
from tests.support.gateway_engines import LID, engine_webhook, gows, in_go, noweb
from tests.support.gateway_webhooks import (
    ANA,
    GROUP,
    OWN,
    SESSION,
    Json,
    ack,
    case,
    event_of,
    parsed,
    request,
    tenants,
    text,
    webhook,
)
from tests.unit.providers.wasender.test_wasender_contents import CONTENTS

NUMBER = "15550001111@s.whatsapp.net"
MEMBER, MEMBERS_LID = "15550002222@s.whatsapp.net", "888000222@lid"
GATEWAYS = ["waha", "wawp"]
BOTH = ["NOWEB", "GOWS"]


def key_of(provider: str, content: Json) -> str:
    """The partition key of a webhook, as the ingress cuts it."""
    found: list[Slice] = list(PROVIDERS[provider].split(request(provider, orjson.dumps(content)), tenants(provider)))
    return found[0].key


def _without_cipher(held: Any) -> Any:
    return {name: each for name, each in held.items() if name not in ("url", "mediaKey")}


@pytest.mark.parametrize("engine", BOTH)
@pytest.mark.parametrize(("content", "kind", "held"), CONTENTS)
def test_every_type_of_message_is_read_from_every_engine(engine: str, content: Json, kind: str, held: Any) -> None:
    """A reply to a button would have its id on one engine and be an empty text, or nothing, on the next one."""
    event = event_of("waha", engine_webhook(engine, content))
    assert isinstance(event, MessageEvent), event
    found = event.message.model_dump(mode="json", exclude_unset=True)[kind]
    if kind in ("image", "video", "audio", "document", "sticker"):
        voice = {"voice": False} if kind == "audio" else {}
        assert found == voice | _without_cipher(held)
    elif kind in ("edit", "revoke"):
        assert found == held | {"original_message_id": f"false_{ANA}_A"}
    else:
        assert found == held


@pytest.mark.parametrize("provider", GATEWAYS)
def test_the_reported_replies_keep_their_ids(provider: str) -> None:
    """A menu would be sent and its answer not understood."""
    row, button, template = (event_of(provider, each) for each in case("waha-gows-noweb-replies"))
    assert (row.get_interactive_selection(), row.message.interactive.type) == ("row-1", "list_reply")
    assert (button.get_interactive_selection(), button.message.interactive.type) == ("btn-yes", "button_reply")
    assert (template.message.type, template.message.button.payload, template.message.button.text) == (
        "button",
        "btn-yes",
        "Yes",
    )


@pytest.mark.parametrize("provider", GATEWAYS)
def test_the_reported_ad_is_read(provider: str) -> None:
    """A business would pay for clicks and not see which ad brought whom."""
    event = event_of(provider, *case("waha-noweb-ctwa"))
    assert event.get_message_text() == "Hi, more info"
    assert (event.was_forwarded(), event.has_ad_referral()) == (True, True)
    assert (event.ad_referral.source_id, event.ad_referral.click_id) == ("120", "abc")
    assert (event.ad_referral.headline, event.ad_referral.source_url) == ("Ad", "https://fb.me/x")


def test_an_ad_is_read_from_every_engine() -> None:
    """The same on the other two engines."""
    ad = {"title": "Shoes", "body": "Cheap", "sourceType": "ad", "sourceId": "1", "sourceUrl": "u", "ctwaClid": "C"}
    held = {"extendedTextMessage": {"text": "hi", "contextInfo": {"externalAdReply": ad}}}
    described = {name: value for name, value in ad.items() if name != "body"} | {"description": "Cheap"}
    contents = [
        *(engine_webhook(engine, held) for engine in BOTH),
        webhook("message", text(1, body="hi", _data={"type": "chat", "ctwaContext": described})),
    ]
    found = [event_of("waha", each).ad_referral for each in contents]
    assert [(each.headline, each.ad_body, each.source_id, each.click_id) for each in found] == [
        ("Shoes", "Cheap", "1", "C")
    ] * 3


@pytest.mark.parametrize("engine", BOTH)
def test_forwards_answers_and_mentions_are_read(engine: str) -> None:
    """Replies and forwards would look like messages of their own."""
    info = {"stanzaId": "3EB0Q", "participant": NUMBER, "isForwarded": True, "forwardingScore": 7}
    held = {"extendedTextMessage": {"text": "look", "contextInfo": info | {"mentionedJid": [MEMBER, MEMBERS_LID]}}}
    event = event_of("waha", engine_webhook(engine, held))
    assert (event.was_forwarded(), event.forward_context.is_frequently_forwarded) == (True, True)
    assert (event.message.context.id, event.message.context.from_) == ("3EB0Q", "15550001111")
    assert event.message.model_extra["mentions"] == ["15550002222", MEMBERS_LID]


def test_webjs_names_the_mentioned_beside_the_message() -> None:
    """Who is called by name in a group would be told on two engines of three."""
    data = {"type": "chat", "mentionedJidList": [MEMBER, {"_serialized": MEMBERS_LID}, None, 5]}
    event = event_of("waha", webhook("message", text(1, _data=data)))
    assert event.message.model_extra["mentions"] == ["15550002222", MEMBERS_LID]


@pytest.mark.parametrize("engine", BOTH)
@pytest.mark.parametrize(
    ("name", "kind"),
    [("image", "image"), ("video", "video"), ("document", "document"), ("sticker", "sticker"), ("audio", "audio")],
)
def test_media_that_were_not_downloaded_are_media(engine: str, name: str, kind: str) -> None:
    """A photo would be an unknown thing wherever downloads are switched off, or one has failed."""
    held = {f"{name}Message": {"mimetype": "x/y", "url": "https://mmg.example/enc", "mediaKey": "K", "fileLength": 5}}
    made = engine_webhook(engine, held)
    made["payload"] |= {"hasMedia": True, "media": None}
    found = event_of("waha", made).message.model_dump(exclude_unset=True)[kind]
    assert (found["mime_type"], found["file_size"], "url" in found) == ("x/y", 5, False)
    made["payload"]["media"] = {"url": "https://files.example/x", "mimetype": "a/b", "filename": "x.bin"}
    found = event_of("waha", made).message.model_dump(exclude_unset=True)[kind]
    assert (found["url"], found["mime_type"], found["filename"]) == ("https://files.example/x", "a/b", "x.bin")


@pytest.mark.parametrize("engine", BOTH)
def test_an_edited_message_has_its_new_words(engine: str) -> None:
    """A handler would read what a user took back."""
    changed = {"protocolMessage": {"type": 14, "key": {"id": "A"}, "editedMessage": {"conversation": "New"}}}
    for held in (changed, {"conversation": "Old"}):
        made = engine_webhook(engine, held, "message.edited")
        made["payload"] |= {"editedMessageId": "A", "body": "New"}
        event = event_of("waha", made)
        assert (event.message.edited_text, event.message.target_message_id) == ("New", f"false_{ANA}_A")


@pytest.mark.parametrize("engine", BOTH)
def test_an_edit_that_comes_under_the_messages_id_is_an_edit(engine: str) -> None:
    """It would be dropped as a duplicate of the message, or be answered as a message of its own."""
    made = engine_webhook(engine, {"editedMessage": {"message": {"conversation": "New"}}}, number=1)
    edit, before = event_of("waha", made | {"id": "evt_2"}), event_of("waha", webhook("message", text(1)))
    assert edit.event_id != before.event_id
    assert (edit.message.edited_text, edit.message.target_message_id) == ("New", before.message.message_id)


def _twins() -> list[tuple[str, list[Json]]]:
    """Messages that come once with the number and once with the linked id, each form naming the other."""
    hello = {"conversation": "Hello"}
    lid_key: Json = {"remoteJidAlt": NUMBER}
    member: Json = {"participant": MEMBERS_LID, "participantAlt": MEMBER}
    alt: Json = {"Sender": MEMBERS_LID, "SenderAlt": MEMBER}
    numbered: Json = {"participant": MEMBER, "participantAlt": MEMBERS_LID}
    return [
        ("NOWEB", [noweb(hello), noweb(hello, chat=LID, **lid_key)]),
        ("NOWEB of last year", [noweb(hello), noweb(hello, chat=LID, senderPn=NUMBER)]),
        ("GOWS", [gows(hello, SenderAlt=LID), gows(hello, chat=LID, SenderAlt=NUMBER)]),
        ("a group by NOWEB", [noweb(hello, chat=GROUP, **numbered), noweb(hello, chat=GROUP, **member)]),
        ("a group by GOWS", [gows(hello, chat=GROUP, Sender=MEMBER), gows(hello, chat=GROUP, **alt)]),
    ]


def _written_by(payload: Json) -> Json:
    """With the author where the gateway puts it, for groups."""
    data = payload["_data"]
    author = data.get("Info", {}).get("Sender") if "Info" in data else data["key"].get("participant")
    if payload["from"] != GROUP:
        return payload
    return payload | {"participant": author, "id": f"{payload['id']}_{author}"}


@pytest.mark.parametrize("provider", GATEWAYS)
@pytest.mark.parametrize("payloads", [pair for _, pair in _twins()], ids=[name for name, _ in _twins()])
def test_one_message_by_two_addresses_is_one_event(provider: str, payloads: list[Json]) -> None:
    """A user would be answered twice, by two conversations that know nothing of each other."""
    made = [webhook("message", _written_by(each), id=f"evt_{at}") for at, each in enumerate(payloads)]
    events = [event_of(provider, each) for each in made]
    assert len({event.event_id for event in events}) == 1
    assert len({key_of(provider, each) for each in made}) == 1
    assert {event.user.phone_number for event in events} <= {"15550001111", "15550002222"}
    assert {event.kind for event in events} == {"message"}


@pytest.mark.parametrize("provider", GATEWAYS)
def test_the_reported_twins_are_one_event(provider: str) -> None:
    """The same, as it was reported."""
    twins = case("waha-one-message-as-cus-and-lid")
    events = [event_of(provider, each) for each in twins]
    assert {event.event_id for event in events} == {f"{provider}:{SESSION}:AC2X"}
    assert len({key_of(provider, each) for each in twins}) == 1
    assert [event.user.phone_number for event in events] == ["15553330001"] * 2
    assert [event.user.model_extra["lid"] for event in events] == ["88800011@lid"] * 2


@pytest.mark.parametrize("provider", GATEWAYS)
def test_the_number_beside_a_linked_id_is_used(provider: str) -> None:
    """Who hides the number from others would be another customer each time the engine names it or not."""
    event = event_of(provider, *case("waha-gows-senderalt"))
    assert (event.user.phone_number, event.user.user_id) == ("15550001111", "15550001111")
    assert (event.contact, event.user.model_extra["lid"]) == ("15550001111", "77700011@lid")


def test_without_the_number_the_event_is_still_the_same() -> None:
    """Where no body names both addresses the two conversations can't be one. The event's id is: effects count once."""
    known, hidden = parsed("waha", webhook("message", text(1))), parsed("waha", webhook("message", text(1, LID)))
    assert known.event_id == hidden.event_id == f"waha:{SESSION}:3EB00001"
    assert known.conversation != hidden.conversation


def test_the_same_id_in_two_groups_is_two_messages() -> None:
    """A message that is forwarded to a group with its id would be dropped as a duplicate."""
    ids = {parsed("waha", webhook("message", text(1, chat))).event_id for chat in (ANA, GROUP, "1203630@g.us")}
    assert len(ids) == 3
    assert f"waha:{SESSION}:{GROUP}:3EB00001" in ids


def test_our_own_number_is_never_the_other_side() -> None:
    """Everything that the business writes would be one conversation: with itself."""
    sent = gows({"conversation": "Hi"}, chat=LID, Sender="15559990000@s.whatsapp.net", SenderAlt="123123@lid")
    ours = sent | {"id": f"true_{LID}_A", "fromMe": True}
    ours["_data"]["Info"] |= {"IsFromMe": True, "RecipientAlt": NUMBER}
    event = event_of("waha", webhook("message.any", ours))
    assert isinstance(event, AccountEvent)
    assert (event.event_type, event.contact) == ("echo", "15550001111")
    nameless = ours | {"_data": {"Info": {"IsFromMe": True, "SenderAlt": "15559990000@s.whatsapp.net"}}}
    assert event_of("waha", webhook("message.any", nameless)).contact == LID
    old = {"_data": {"key": {"fromMe": True, "senderPn": "15559990000@s.whatsapp.net"}}}
    assert event_of("waha", webhook("message.any", ours | old)).contact == LID


def test_a_receipt_names_the_reader_beside_the_chat() -> None:
    """A status would be in another conversation than the message that it is about."""
    receipt = {"Chat": LID, "Sender": LID, "SenderAlt": NUMBER, "IsFromMe": False, "Type": "read", "MessageIDs": ["A"]}
    told = {"id": f"true_{LID}_A", "from": LID, "fromMe": True, "ack": 3, "ackName": "READ", "_data": receipt}
    event = event_of("waha", webhook("message.ack", told))
    known = event_of("waha", webhook("message.ack", ack(1, 3) | {"id": f"true_{ANA}_A"}))
    assert isinstance(event, StatusEvent)
    assert (event.conversation, event.event_id, event.recipient_id) == (
        known.conversation,
        known.event_id,
        "15550001111",
    )


def test_a_caller_is_known_by_number() -> None:
    """A call would be in another conversation than the messages of who called."""
    call = {"From": LID, "CallCreator": LID, "CallCreatorAlt": NUMBER, "CallID": "C"}
    found = event_of("waha", webhook("call.received", {"id": "C", "from": LID, "isVideo": False, "_data": call}))
    assert found.contact == "15550001111"


@pytest.mark.parametrize("event", ["message.reaction", "message.edited", "message.revoked", "message.any"])
def test_what_happens_to_a_message_comes_once_by_two_addresses(event: str) -> None:
    """A reaction or a deletion would be handled twice."""

    def made(chat: str, at: int) -> Json:
        payload = text(2, chat, reaction={"text": "👍", "messageId": f"true_{chat}_A"}, editedMessageId="A")
        deleted = {"after": text(2, chat), "before": None, "revokedMessageId": "A"}
        return webhook(event, deleted if event == "message.revoked" else payload, id=f"evt_{at}")

    assert len({parsed("waha", made(chat, at)).event_id for at, chat in enumerate((ANA, LID))}) == 1


def test_a_reaction_and_its_removal_are_two_events() -> None:
    """Whoever takes a reaction back would still be counted: builds may give both the id of the message."""
    ids = []
    for at, emoji in enumerate(("👍", "", "👍")):
        told = text(1) | {"reaction": {"text": emoji, "messageId": f"false_{ANA}_3EB00001"}}
        ids.append(parsed("waha", webhook("message.reaction", told, id=f"evt_{at}")).event_id)
    assert len(set(ids)) == 3


def test_a_changed_vote_is_another_event() -> None:
    """A vote that changes, or that could not be read at once, would be dropped as the redelivery of the first."""

    def vote(event: str, at: int, choice: str) -> str:
        told = {"vote": text(1, timestamp=at, selectedOptions=[choice]), "poll": {"id": f"true_{ANA}_P"}}
        return parsed("waha", webhook(event, told, id=f"evt_{event}_{at}")).event_id

    ids = [vote("poll.vote", 1, "a"), vote("poll.vote", 2, "b"), vote("poll.vote.failed", 1, "a")]
    assert len(set(ids)) == 3
    assert vote("poll.vote", 1, "a") == ids[0]


@pytest.mark.parametrize("from_me", [True, "true", "True", 1, "1", 2, "yes", [], {}])
@pytest.mark.parametrize("event", ["message", "message.any", "message.reaction", "message.edited"])
def test_what_may_be_our_own_message_is_never_a_users(from_me: Any, event: str) -> None:
    """A bot would answer itself, for ever."""
    told = text(1, fromMe=from_me) | {"reaction": "👍", "messageId": "A", "editedMessageId": "A"}
    found = event_of("wawp", webhook(event, told))
    assert isinstance(found, AccountEvent)
    assert found.event_type == "echo"


@pytest.mark.parametrize(
    "told",
    [
        {"id": f"true_{ANA}_A"},
        {"_data": {"Info": {"IsFromMe": True}}},
        {"_data": {"key": {"fromMe": True}}},
        {"_data": {"id": {"fromMe": True}}},
    ],
)
def test_whatever_calls_it_ours_is_believed(told: Json) -> None:
    """A flag that an engine forgets to set in one place would make a bot answer itself."""
    assert isinstance(event_of("waha", webhook("message", text(1) | told)), AccountEvent)


@pytest.mark.parametrize("from_me", [False, "false", 0, None])
def test_reading_a_users_message_is_no_status(from_me: Any) -> None:
    """A business would be told that its answer was read when it had only read the question itself."""
    told = ack(1, 3) | {"id": f"false_{ANA}_A", "fromMe": from_me}
    assert isinstance(event_of("waha", webhook("message.ack", told)), UnknownEvent)
    contradiction = ack(1, 3) | {"fromMe": from_me}
    if from_me is not None:
        assert isinstance(event_of("waha", webhook("message.ack", contradiction)), UnknownEvent)


@given(st.sampled_from([content for content, _, _ in CONTENTS]), anything, anything)
def test_whatever_engines_add_one_event_comes_of_it(content: Json, odd: Any, other: Any) -> None:
    """One odd field of an engine would stop the partition behind it."""
    holder = in_go(content)
    for made in (gows(content, odd=odd), noweb(content | {"odd": odd}), gows(content) | {"_data": odd}):
        assert parsed("waha", webhook("message", made)).event_id
    data = {"Info": odd, "Message": other, "key": odd, "message": other}
    assert parsed("wawp", webhook("message", text(1) | {"_data": data})).event_id
    assert parsed("wawp", webhook("message", text(1) | {"_data": {"Message": holder | {"Odd": odd}}})).event_id


@pytest.mark.parametrize("event", ["poll.vote", "message.revoked"])
def test_a_member_of_a_group_is_named_by_the_message_in_the_event(event: str) -> None:
    """Votes and deletions in a group would be the group's, and nobody's."""
    written = text(1, GROUP, participant=MEMBERS_LID, selectedOptions=["Yes"])
    data = {"Info": {"Chat": GROUP, "Sender": MEMBERS_LID, "SenderAlt": MEMBER, "PushName": "Bo"}}
    told = {
        "after": written,
        "revokedMessageId": "A",
        "vote": written,
        "poll": {"id": f"true_{GROUP}_P"},
        "_data": data,
    }
    dropped = "vote" if event == "message.revoked" else "after"
    found = event_of("waha", webhook(event, {name: value for name, value in told.items() if name != dropped}))
    assert (found.user.phone_number, found.user.profile_name, found.contact) == ("15550002222", "Bo", GROUP)


def test_a_message_of_the_account_by_two_addresses_is_one_echo() -> None:
    """What was written on the business' phone would be twice in every report."""
    sent = {chat: {"id": f"true_{chat}_A", "from": OWN, "to": chat, "fromMe": True} for chat in (ANA, LID)}
    both = [webhook("message.any", text(1) | told, id=f"evt_{chat}") for chat, told in sent.items()]
    assert len({parsed("waha", each).event_id for each in both}) == 1
