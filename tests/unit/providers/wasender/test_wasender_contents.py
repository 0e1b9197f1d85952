"""What users send, in WhatsApp's own words, has the Cloud API's shape in the handler's hand."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import TestRecord
from pipeline.topics.events import MessageEvent, UnknownEvent, decode
from tests.support.wasender_webhooks import Json, events, holding, key, received

OURS = key("3EB0OUT", fromMe=True)
INFO = {"contextInfo": {"stanzaId": "3EB0Q", "participant": "15559990000:2@s.whatsapp.net", "isForwarded": False}}


def one(content: Json) -> Any:
    (wire,) = events(content)
    return decode(TestRecord(wire.encode("acme")))


def message(content: Json, **more: Any) -> Any:
    event = one(received(holding(content, **more)))
    assert isinstance(event, MessageEvent), event
    return event.message


FILE = {"url": "https://x.example/enc", "mimetype": "image/jpeg", "fileSha256": "SHA", "mediaKey": "KEY"}
CARD = "BEGIN:VCARD\nVERSION:3.0\nFN:Jane\nTEL;type=CELL;waid=91111:+91 111\nEND:VCARD"


CONTENTS: list[tuple[Json, str, Any]] = [
    ({"conversation": "Hi"}, "text", {"body": "Hi"}),
    ({"extendedTextMessage": {"text": "Hi", "matchedText": "x"}}, "text", {"body": "Hi"}),
    ({"ephemeralMessage": {"message": {"conversation": "Hi"}}}, "text", {"body": "Hi"}),
    (
        {"imageMessage": FILE | {"caption": "c", "fileLength": "12345", "fileName": "a.jpg"}},
        "image",
        {"url": FILE["url"], "mime_type": "image/jpeg", "sha256": "SHA", "mediaKey": "KEY", "caption": "c"}
        | {"filename": "a.jpg", "file_size": 12345},
    ),
    ({"viewOnceMessageV2": {"message": {"imageMessage": {"url": "u"}}}}, "image", {"url": "u"}),
    (
        {"documentWithCaptionMessage": {"message": {"documentMessage": {"url": "u", "caption": "c"}}}},
        "document",
        {"url": "u", "caption": "c"},
    ),
    ({"videoMessage": {"url": "u", "seconds": 7}}, "video", {"url": "u", "duration": 7}),
    ({"audioMessage": {"url": "u", "ptt": True}}, "audio", {"url": "u", "voice": True}),
    ({"audioMessage": {"url": "u", "fileLength": {"low": 5}}}, "audio", {"url": "u", "file_size": 5}),
    ({"stickerMessage": {"url": "u", "isAnimated": True}}, "sticker", {"url": "u", "animated": True}),
    (
        {"locationMessage": {"degreesLatitude": 1.5, "degreesLongitude": -2, "name": "HQ", "address": "Main"}},
        "location",
        {"latitude": 1.5, "longitude": -2, "name": "HQ", "address": "Main"},
    ),
    (
        {"liveLocationMessage": {"degreesLatitude": 1, "degreesLongitude": 2}},
        "location",
        {"latitude": 1, "longitude": 2, "live": True},
    ),
    (
        {"contactMessage": {"displayName": "Jane", "vcard": CARD}},
        "contacts",
        [
            {
                "name": {"formatted_name": "Jane"},
                "phones": [{"phone": "+91 111", "wa_id": "91111"}],
                "vcard": CARD,
            }
        ],
    ),
    (
        {"contactsArrayMessage": {"contacts": [{"displayName": "Jane"}, {"displayName": "Joe"}]}},
        "contacts",
        [{"name": {"formatted_name": "Jane"}}, {"name": {"formatted_name": "Joe"}}],
    ),
    ({"reactionMessage": {"key": OURS, "text": "👍"}}, "reaction", {"message_id": "3EB0OUT", "emoji": "👍"}),
    ({"reactionMessage": {"key": OURS}}, "reaction", {"message_id": "3EB0OUT", "emoji": ""}),
    (
        {"buttonsResponseMessage": {"selectedButtonId": "y", "selectedDisplayText": "Yes"}},
        "interactive",
        {"type": "button_reply", "button_reply": {"id": "y", "title": "Yes"}},
    ),
    (
        {"listResponseMessage": {"title": "One", "singleSelectReply": {"selectedRowId": "1"}, "description": "d"}},
        "interactive",
        {"type": "list_reply", "list_reply": {"id": "1", "title": "One", "description": "d"}},
    ),
    (
        {"interactiveResponseMessage": {"nativeFlowResponseMessage": {"name": "flow", "paramsJson": "{}"}}},
        "interactive",
        {"type": "nfm_reply", "nfm_reply": {"name": "flow", "response_json": "{}"}},
    ),
    (
        {"templateButtonReplyMessage": {"selectedId": "y", "selectedDisplayText": "Yes"}},
        "button",
        {"text": "Yes", "payload": "y"},
    ),
    (
        {
            "pollCreationMessageV3": {
                "name": "When?",
                "options": [{"optionName": "Now"}],
                "selectableOptionsCount": 1,
            }
        },
        "poll",
        {"name": "When?", "options": ["Now"], "selectable_count": 1},
    ),
    (
        {"pollUpdateMessage": {"pollCreationMessageKey": {"id": "POLL"}, "vote": {"encPayload": "x"}}},
        "poll_vote",
        {"poll_message_id": "POLL"},
    ),
    ({"protocolMessage": {"type": 0, "key": {"id": "A"}}}, "revoke", {"original_message_id": "A"}),
    ({"protocolMessage": {"type": "REVOKE", "key": {"id": "A"}}}, "revoke", {"original_message_id": "A"}),
    (
        {"protocolMessage": {"type": 14, "key": {"id": "A"}, "editedMessage": {"conversation": "New"}}},
        "edit",
        {"original_message_id": "A", "message": {"type": "text", "text": {"body": "New"}}},
    ),
]
"""The protocol's messages, and what each is in the Cloud API's shape: type and content."""


@pytest.mark.parametrize(("content", "kind", "held"), CONTENTS)
def test_every_type_of_message_has_its_model(content: Json, kind: str, held: Any) -> None:
    """A handler would see another type, or none of what the user sent."""
    found = message(content)
    assert found.type == kind
    assert found.model_dump(mode="json", exclude_unset=True)[kind] == held


def test_a_text_without_its_content_is_read_from_the_body() -> None:
    """Of servers that send `messageBody` alone nothing would be read."""
    item = {"key": key("3EB0"), "messageBody": "Hello", "messageTimestamp": 1}
    assert one(received(item)).get_message_text() == "Hello"


def test_what_a_message_refers_to() -> None:
    """A reply, a forward and the ad that a user came from would look like any message."""
    quoted = message({"extendedTextMessage": {"text": "yes"} | INFO})
    assert (quoted.is_reply, quoted.context.id, quoted.context.from_) == (True, "3EB0Q", "15559990000")
    often = {"contextInfo": {"isForwarded": True, "forwardingScore": 127, "mentionedJid": ["1@s.whatsapp.net"]}}
    forwarded = message({"extendedTextMessage": {"text": "look"} | often})
    assert (forwarded.is_forwarded, forwarded.is_frequently_forwarded) == (True, True)
    assert forwarded.model_extra == {"mentions": ["1"]}
    ad = {"sourceUrl": "https://fb.me/x", "sourceId": "1", "sourceType": "ad", "title": "Shoes", "ctwaClid": "C"}
    found = message({"extendedTextMessage": {"text": "hi", "contextInfo": {"externalAdReply": ad}}})
    assert (found.referral.headline, found.get_ad_context()) == ("Shoes", ("1", "C"))
    preview = {"contextInfo": {"externalAdReply": {"sourceUrl": "https://x.example", "title": "A page"}}}
    assert message({"extendedTextMessage": {"text": "hi"} | preview}).referral is None


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"groupInviteMessage": {"groupJid": "1@g.us"}}, "message.groupInvite"),
        ({"messageContextInfo": {}, "hologramMessage": {}}, "message.hologram"),
        ({"protocolMessage": {"type": 5, "key": {"id": "A"}}}, "message.protocol"),
        ({"locationMessage": {"degreesLatitude": "north"}}, "message.location"),
    ],
)
def test_what_has_no_model_arrives_whole(content: Json, name: str) -> None:
    """Nobody could write a handler for what the project does not know yet."""
    event = one(received(holding(content)))
    assert isinstance(event, UnknownEvent)
    assert event.user is not None
    assert (event.event_type, event.part["message"], event.user.phone_number) == (name, content, "15550001111")
    assert event.event_id == "wasender:shop-session:3EB0AA"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"pollResultSnapshotMessageV3": {"name": "Q"}}, "pollResultSnapshot"),
        ({"groupStatusMessageV2": {"message": {"conversation": "x"}}}, "groupStatus"),
        ({"callLogMesssage": {"isVideo": False}}, "callLogMesssage"),
        ({"eventCoverImage": {"message": {}}}, "eventCoverImage"),
    ],
)
def test_a_message_without_a_model_has_the_protocols_name(content: Json, name: str) -> None:
    """A handler could not tell a call from a poll: both would be `message.unknown`."""
    assert one(received(holding(content))).event_type == f"message.{name}"


@pytest.mark.parametrize("name", ["pollCreationMessage", "pollCreationMessageV3", "pollCreationMessageV5"])
def test_every_generation_of_a_poll_is_a_poll(name: str) -> None:
    """A poll that a newer phone makes would reach nobody."""
    poll = {name: {"name": "Q", "options": [{"optionName": "a"}, {"optionName": "b"}]}}
    for content in (poll, {"pollCreationMessageV4": {"message": poll}}):
        assert message(content).poll.options == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "at", "value"),
    [
        ({"buttonsResponseMessage": {"selectedButtonId": 5}}, ("interactive", "button_reply", "id"), "5"),
        ({"reactionMessage": {"key": {"id": 5}, "text": "👍"}}, ("reaction", "message_id"), "5"),
        ({"templateButtonReplyMessage": {"selectedId": 5}}, ("button", "payload"), "5"),
        (
            {"extendedTextMessage": {"text": "x", "contextInfo": {"externalAdReply": {"sourceId": 120}}}},
            ("referral", "source_id"),
            "120",
        ),
    ],
)
def test_an_id_that_is_a_number_is_read(content: Json, at: tuple[str, ...], value: str) -> None:
    """What somebody chose, or the ad that he came from, would be left out."""
    found = one(received(holding(content))).model_dump(mode="json", by_alias=True)["message"]
    for name in at:
        found = found[name]
    assert found == value
