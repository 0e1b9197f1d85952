"""Every type of message, read by the names that handlers know, from the documents' own examples."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter

from pipeline.providers.cloud.parse import parse_record
from pipeline.providers.cloud.shapes import CONTENTS, MESSAGE
from pipeline.providers.shared.shapes import REQUIRED, Shape
from pipeline.topics.events import (
    AnyMessage,
    ContactsMessage,
    InteractiveMessage,
    MediaMessage,
    Message,
    MessageBase,
    MessageEvent,
    MessageType,
    decode,
)
from pipeline.topics.events.model import EventModel
from tests.support.cloud_webhooks import Json, Raw, named_examples, text, value, webhook
from tests.support.message_members import READ

BODIES = {example.name: example.body for example in named_examples()}
ADAPTER: TypeAdapter[AnyMessage] = TypeAdapter(Message)


def _event(whole: Json) -> MessageEvent:
    event = decode(Raw(orjson.dumps(next(iter(parse_record(Raw(orjson.dumps(whole))))).body)))
    assert isinstance(event, MessageEvent)
    return event


def _of(**fields: Any) -> MessageBase:
    """A message of this type and content, as a gateway may fill it."""
    return ADAPTER.validate_python({"id": "m", "timestamp": 1760000000, "from": "15550001111"} | fields)


@pytest.mark.parametrize("name", READ)
def test_a_message_is_read_by_its_names(name: str) -> None:
    """A handler that was written by the published documents would fail at this type of message."""
    message = _event(BODIES[name]).message
    for member, expected in READ[name].items():
        found = getattr(message, member.removesuffix("()"))
        assert (found() if member.endswith("()") else found) == expected, member


COMMON = {
    "platform": "whatsapp",
    "sender_id": "15550001111",
    "sender_phone": "15550001111",
    "timestamp_str": "1760000000",
    "unix_timestamp": 1760000000,
    "conversation_id": "15550001111",
    "has_bsuid": False,
    "has_phone_number": True,
}


@pytest.mark.parametrize("name", ["text", "image", "location", "contact cards", "reaction", "order"])
def test_what_all_messages_can_be_asked(name: str) -> None:
    """Code that treats all messages alike would fail at one of them."""
    message = _event(BODIES[name]).message
    assert {each: getattr(message, each) for each in COMMON} == COMMON
    assert message.get_message_summary() == message.to_summary_dict()
    assert message.to_universal_dict()["message_type"] == message.type
    assert type(message).from_platform_data(message.get_platform_data(), extra="ignored") == message
    assert message.get_ad_context() == (None, None)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("text", "Hello"),
        ("button of a template pressed", "Stop promotions"),
        ("button pressed", "help"),
        ("row of a list chosen", "row_1"),
        ("image", ""),
        ("flow finished", ""),
        ("message edited", ""),
        ("number changed", ""),
    ],
)
def test_the_text_of_a_message(name: str, told: str) -> None:
    """A menu would not hear what was pressed, or a handler would answer an edit as if it were new."""
    event = _event(BODIES[name])
    assert event.get_message_text() == told
    assert event.get_interactive_selection() == (told or None if event.message.type == "interactive" else None)


def test_contacts_answer_to_both_names() -> None:
    """Handlers by one page of the documents would miss what handlers by the other page get."""
    event = _event(BODIES["contact cards"])
    name = event.get_message_type_name()
    assert name == "contact"
    assert name == "contacts"
    assert name in ["contact"]
    assert (name != "contact") is False
    assert name != "text"
    assert f"{name}" == "contacts"
    assert orjson.dumps({"type": name}) == b'{"type":"contacts"}'
    assert event.message.message_type is MessageType.CONTACT


def test_contacts_of_an_event() -> None:
    """The business could not tell companies from people, or see who is on WhatsApp."""
    message = _event(BODIES["contact cards"]).message
    assert isinstance(message, ContactsMessage)
    assert message.contact_data["birthday"] == "1990-05-17"
    assert message.get_whatsapp_contacts() == message.get_business_contacts() == message.contacts
    (card,) = message.contacts
    assert [(email.email, email.type) for email in card.emails] == [("bo@example.com", "WORK")]
    assert [url.url for url in card.urls] and [address.city for address in card.addresses]
    empty = _of(type="contacts", contacts=[])
    assert isinstance(empty, ContactsMessage)
    assert (empty.contact_name, empty.contact_phone, empty.contact_data) == ("", None, {})


@pytest.mark.parametrize("name", ["image", "video", "voice message", "document", "sticker"])
def test_a_file_says_how_to_get_it(name: str) -> None:
    """Nobody could download what users send."""
    message = _event(BODIES[name]).message
    assert isinstance(message, MediaMessage)
    info = message.get_download_info()
    assert info["media_id"] == message.media_id
    assert info["download_method"] == ("direct" if info["url"] else "media_endpoint")
    assert (info["requires_auth"], info["headers"], info["mime_type"]) == (True, {}, message.mime_type)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"filename": "../../etc/passwd", "id": "7"}, "passwd"),
        ({"filename": "C:\\temp\\a.doc", "id": "7"}, "a.doc"),
        ({"mime_type": "text/plain; charset=utf-8", "id": "7"}, "document_7.txt"),
        ({"mime_type": "x/never-heard-of"}, "document_m"),
        ({}, "document_m"),
    ],
    ids=str,
)
def test_a_suggested_filename_is_never_a_path(content: Json, name: str) -> None:
    """A sender could choose where on the disk a handler writes."""
    message = _of(type="document", document=content)
    assert isinstance(message, MediaMessage)
    assert message.get_suggested_filename() == name


@pytest.mark.parametrize(
    ("pattern", "matches"), [("row_", True), (r"row_\d$", True), ("ow_", False), ("", True)], ids=str
)
def test_options_by_pattern(pattern: str, matches: bool) -> None:
    """A menu with many rows would need a branch for each."""
    message = _event(BODIES["row of a list chosen"]).message
    assert isinstance(message, InteractiveMessage)
    assert message.matches_option_pattern(pattern) is matches


@pytest.mark.parametrize("response", ["", "{", "[1]", "null", None], ids=str)
def test_a_broken_form_has_no_answers(response: str | None) -> None:
    """A handler would fail at a form whose answers are no JSON object."""
    message = _of(type="interactive", interactive={"type": "nfm_reply", "nfm_reply": {"response_json": response}})
    assert isinstance(message, InteractiveMessage)
    assert message.flow_response == {}


def test_distance_on_the_globe() -> None:
    """A shop finder would send people to the wrong end of the town."""
    message: Any = _event(BODIES["location"]).message
    assert message.get_distance_from(40.7589, -73.9851) == pytest.approx(0, abs=1e-9)
    assert message.get_distance_from(51.5074, -0.1278) == pytest.approx(5567, abs=15)


def test_money_is_added_exactly() -> None:
    """A basket of three dimes would be off by a little, and every comparison with it."""
    items: list[Json] = [
        {"product_retailer_id": "a", "quantity": "3", "item_price": "0.1", "currency": "USD"},
        {"product_retailer_id": "b", "quantity": 1, "item_price": 5, "currency": "EUR"},
    ]
    message: Any = _of(type="order", order={"product_items": items})
    assert message.get_total_by_currency() == {"USD": 0.3, "EUR": 5.0}
    assert (message.total_amount, message.is_multi_currency, message.currencies) == (5.3, True, ["USD", "EUR"])
    assert message.get_product_by_id("b") == {**items[1], "quantity": 1.0, "item_price": 5.0}
    assert message.get_product_by_id("c") is None
    assert len(message.get_products()) == 2


@pytest.mark.parametrize(
    ("fields", "members"),
    [
        (
            {"type": "poll", "poll": {"name": "Lunch?", "options": ["12:00", "13:00"], "selectable_count": 1}},
            {"question": "Lunch?", "is_multiple_choice": False},
        ),
        (
            {"type": "poll_vote", "poll_vote": {"poll_message_id": "p", "selected_options": ["12:00"]}},
            {"poll_message_id": "p", "selected_options": ["12:00"], "is_withdrawn": False},
        ),
        (
            {"type": "poll_vote", "poll_vote": {"poll_message_id": "p", "selected_options": []}},
            {"is_withdrawn": True, "selected_options": []},
        ),
        (
            {"type": "group_notice", "group_id": "g", "group_notice": {"action": "add", "participants": ["1"]}},
            {"action": "add", "conversation_id": "g"},
        ),
        (
            {"type": "call_notice", "call_notice": {"action": "missed", "video": True}},
            {"action": "missed", "is_missed": True},
        ),
        ({"type": "video", "video": {"width": 640, "height": 480, "duration": 3}}, {"dimensions": (640, 480)}),
        (
            {"type": "edit", "edit": {"original_message_id": "m", "message": {"image": {"caption": "new"}}}},
            {"edited_text": "new"},
        ),
        ({"type": "edit", "edit": {"original_message_id": "m"}}, {"edited_text": ""}),
        ({"type": "unsupported", "unsupported": {"type": "poll"}}, {"get_unsupported_reason": "poll"}),
        ({"type": "unsupported"}, {"get_unsupported_reason": "", "primary_error": None, "error_codes": []}),
    ],
    ids=str,
)
def test_what_gateways_fill(fields: Json, members: Json) -> None:
    """Polls, votes and notices of the gateways would have no form to be brought into."""
    message = _of(**fields)
    for name, expected in members.items():
        found = getattr(message, name)
        assert (found() if name.startswith("get_") else found) == expected
    assert ADAPTER.validate_json(message.model_dump_json(exclude_unset=True)) == message


def test_unsupported_messages_are_told_apart_by_code() -> None:
    """A handler could not tell a poll from a platform that failed."""
    message: Any = _event(BODIES["unsupported message (a poll)"]).message
    assert (message.has_error_code(131051), message.has_error_code(1)) == (True, False)
    assert message.get_error_by_code(131051) is message.primary_error
    assert message.get_error_by_code(1) is None


SECRET = "a user's own words"


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "image", "image": {"id": "1", "caption": SECRET, "url": SECRET, "filename": SECRET}},
        {"type": "location", "location": {"latitude": 1, "longitude": 2, "name": SECRET, "address": SECRET}},
        {"type": "contacts", "contacts": [{"name": {"formatted_name": SECRET}, "phones": [{"phone": SECRET}]}]},
        {"type": "interactive", "interactive": {"type": "x", "button_reply": {"id": "1", "title": SECRET}}},
        {"type": "interactive", "interactive": {"type": "x", "nfm_reply": {"body": SECRET, "response_json": SECRET}}},
        {"type": "button", "button": {"text": SECRET, "payload": SECRET}},
        {"type": "order", "order": {"text": SECRET}},
        {"type": "system", "system": {"body": SECRET}},
        {"type": "poll", "poll": {"name": SECRET, "options": [SECRET]}},
        {"type": "poll_vote", "poll_vote": {"poll_message_id": "p", "selected_options": [SECRET]}},
        {"type": "group_notice", "group_notice": {"action": "subject", "value": SECRET}},
        {"type": "edit", "edit": {"original_message_id": "m", "message": {"text": {"body": SECRET}}}},
    ],
    ids=lambda fields: str(fields["type"]),
)
def test_what_users_say_is_in_no_repr(fields: Json) -> None:
    """A traceback or a debug log would publish it."""
    message = _of(**fields)
    assert SECRET not in repr(message)
    assert SECRET not in str(message.to_summary_dict())


def _fields(model: type[EventModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


@pytest.mark.parametrize("kind", CONTENTS)
def test_the_quick_look_knows_every_field_of_the_models(kind: str) -> None:
    """A field that the quick look passes over could be refused by the model, one stage too late."""
    message = type(_of(type=kind, **{kind: _sample(kind)}))
    content: Any = message.model_fields[kind].annotation
    if kind == "interactive":
        content = content.__args__[0]
        for reply in ("button_reply", "list_reply", "nfm_reply"):
            assert _named(CONTENTS[kind][reply]) == _fields(content.model_fields[reply].annotation.__args__[0])
    assert _named(CONTENTS[kind]) == _fields(content)
    assert _named(MESSAGE) == _fields(message) - {kind}


def _sample(kind: str) -> Json:
    return {"type": "x", "body": "x", "latitude": 1.0, "longitude": 1.0, "message_id": "m"}


def _named(shape: Shape) -> set[str]:
    return set(shape) - {REQUIRED}


def test_a_forwarded_picture_from_an_ad() -> None:
    """Only texts would tell that they were forwarded, and from which ad somebody came."""
    whole = webhook(
        value(messages=[text("m", type="image", image={}, context={"forwarded": True}, referral={"source_id": "9"})])
    )
    event = _event(whole)
    assert (event.was_forwarded(), event.has_ad_referral()) == (True, True)
    assert (bool(event.message.is_forwarded), bool(event.message.is_ad_message)) == (True, True)
    assert event.message.get_ad_context() == ("9", None)
