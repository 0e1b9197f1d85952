"""Events: what handlers read of them, under the names that handlers know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.errors import InvalidRecord
from pipeline.providers.cloud.parse import parse
from pipeline.topics import events
from pipeline.topics.events import (
    ErrorEvent,
    EventBase,
    MessageEvent,
    MessageStatus,
    PlatformType,
    StatusEvent,
    TextMessage,
    UnknownEvent,
    decode,
    validate,
)
from pipeline.topics.events.error_codes import CRITICAL, RETRYABLE
from pipeline.topics.events.model import Flag
from pipeline.topics.events.names import ConversationType, MessageType
from tests.support.cloud_webhooks import NUMBER, WABA, Json, Raw, contact, status, text, value, webhook

Kind = TypeVar("Kind", bound=EventBase)


def _event(kind: type[Kind], **lists: Any) -> Kind:
    """The only event of a webhook with these lists, after its way over the topic."""
    (wire,) = parse(Raw(orjson.dumps(webhook(value(**lists)))))
    event = decode(Raw(wire.encode("acme")))
    assert isinstance(event, kind)
    return event


def _message(body: str = "Hello", **more: Any) -> MessageEvent:
    return _event(MessageEvent, contacts=[contact()], messages=[text("wamid.1", body=body, **more)])


def _text(body: str = "Hello", **more: Any) -> TextMessage:
    message = _message(body, **more).message
    assert isinstance(message, TextMessage)
    return message


def _status(name: str, **more: Any) -> StatusEvent:
    return _event(StatusEvent, statuses=[status("wamid.O", name, **more)])


def _errors(*codes: int) -> ErrorEvent:
    return _event(ErrorEvent, errors=[{"code": code, "title": f"title {code}"} for code in codes])


def test_what_a_handler_reads_of_a_message() -> None:
    """Handlers written by the published documents would stop working."""
    webhook = _message()
    assert webhook.user.user_id == webhook.user.phone_number == "15550001111"
    assert webhook.user.profile_name == webhook.user.get_display_name() == webhook.get_sender_display_name() == "Ana"
    assert webhook.get_message_text() == "Hello"
    assert webhook.get_message_type_name() == "text"
    assert webhook.message.message_id == "wamid.1"
    assert webhook.message.timestamp == 1760000000
    assert webhook.timestamp == datetime.fromtimestamp(1760000000, UTC)
    assert webhook.platform is PlatformType.WHATSAPP
    assert webhook.get_interactive_selection() is None
    assert not webhook.message.has_context()
    assert webhook.message.get_context() is None
    assert (webhook.was_forwarded(), webhook.has_business_context(), webhook.has_ad_referral()) == (False, False, False)
    raw = webhook.get_raw_webhook_data()
    assert raw["entry"][0]["changes"][0]["value"]["messages"][0]["text"]["body"] == "Hello"


def test_the_tenant_has_the_names_of_both_generations() -> None:
    """Handlers would not know which number they were written to."""
    webhook = _message()
    tenant = webhook.tenant
    assert tenant == webhook.inbox
    assert tenant.phone_number_id == tenant.business_phone_number_id == tenant.inbox_id == NUMBER
    assert tenant.get_tenant_key() == tenant.get_inbox_key() == NUMBER
    assert tenant.business_id == tenant.platform_tenant_id == tenant.platform_account_id == WABA
    assert tenant.display_phone_number == tenant.display_address == "15559990000"


def test_a_person_without_a_phone_number() -> None:
    """A reply to somebody with a username would go nowhere."""
    event = _event(MessageEvent, messages=[text("wamid.1", from_user_id="US.1") | {"from": None}])
    assert (event.user.user_id, event.user.bsuid, event.user.phone_number) == ("US.1", "US.1", "")
    assert (event.user.has_bsuid, event.user.has_phone_number, event.user.has_username) == (True, False, False)
    assert event.get_sender_display_name() == "US.1"
    assert event.message.is_username_only_sender
    assert event.message.sender_id == event.user.get_user_key() == event.get_conversation_id() == "US.1"


def test_a_reply() -> None:
    """A handler could not tell which question was answered."""
    webhook = _message(context={"id": "wamid.0", "from": "15559990000"})
    context = webhook.message.context
    assert context is not None
    assert context.message_id == context.original_message_id == "wamid.0"
    assert context.original_sender_id == "15559990000"
    assert webhook.message.is_reply
    assert webhook.message.is_reply()
    assert _text(context={"id": "wamid.0", "from": "15559990000"}).get_reply_context() == ("15559990000", "wamid.0")
    assert context.to_universal_dict()["is_reply"] is True


@pytest.mark.parametrize("flags", [{"forwarded": True}, {"frequently_forwarded": True}], ids=str)
def test_forwarded_once_or_often(flags: Json) -> None:
    """Chain letters would be taken for the user's own words."""
    webhook = _message(context=flags)
    assert webhook.was_forwarded()
    assert webhook.message.is_forwarded
    assert not webhook.message.is_reply
    assert webhook.forward_context is not None
    assert webhook.forward_context.is_frequently_forwarded is ("frequently_forwarded" in flags)
    assert bool(webhook.message.is_frequently_forwarded) is ("frequently_forwarded" in flags)


def test_a_question_about_a_product() -> None:
    """The shop would not know which article is meant."""
    product = {"catalog_id": "555", "product_retailer_id": "SKU-1"}
    webhook = _message(context={"id": "w", "from": "15559990000", "referred_product": product})
    assert webhook.has_business_context()
    context = webhook.business_context
    assert context is not None
    assert context.has_product_context()
    assert (context.catalog_id, context.product_retailer_id, context.contextual_message_id) == ("555", "SKU-1", "w")
    message = _text(context={"referred_product": product})
    assert message.get_product_context() == ("555", "SKU-1")
    assert message.is_business_button_reply


def test_a_customer_from_an_ad() -> None:
    """A campaign's conversions could not be counted."""
    referral = {"source_url": "u", "source_id": "12", "source_type": "ad", "ctwa_clid": "c", "headline": "Sale"}
    webhook = _message(referral=referral | {"welcome_message": {"text": "Hi"}, "video_url": "v"})
    ad = webhook.ad_referral
    assert ad is not None
    assert webhook.has_ad_referral()
    assert webhook.message.is_ad_message
    assert (ad.source_id, ad.click_id, ad.ad_headline, ad.welcome_message_text) == ("12", "c", "Sale", "Hi")
    assert (ad.has_media(), ad.is_video_ad()) == (True, True)
    assert webhook.message.get_ad_context() == ("12", "c")


def test_what_text_messages_can_be_asked() -> None:
    """Keyword bots would not understand their users."""
    message = _text("Where is my ORDER?")
    assert message.contains_keyword("order")
    assert not message.contains_keyword("order", case_sensitive=True)
    assert message.contains_any_keyword(["refund", "order"])
    assert message.get_text_length() == 18
    assert message.message_body == message.text_content == "Where is my ORDER?"
    assert message.message_type is MessageType.TEXT


def test_a_message_in_a_group() -> None:
    """An answer would go to the person instead of the group."""
    webhook = _message(group_id="g")
    assert webhook.contact == webhook.get_conversation_id() == "g"
    assert webhook.message.conversation_type is ConversationType.GROUP
    assert webhook.user.phone_number == "15550001111"


@pytest.mark.parametrize(
    ("name", "delivered", "failed"),
    [("sent", 0, 0), ("delivered", 1, 0), ("read", 1, 0), ("played", 1, 0), ("failed", 0, 1), ("warning", 0, 0)],
)
def test_what_a_status_says(name: str, delivered: int, failed: int) -> None:
    """Voice messages that were played, and statuses of tomorrow, would be counted wrongly."""
    webhook = _status(name)
    assert webhook.status.value == name
    assert webhook.status == name
    assert (webhook.is_delivered_status(), webhook.is_failed_status()) == (bool(delivered), bool(failed))
    assert webhook.event_type == f"status.{name}"


def test_a_failed_status() -> None:
    """Nobody would learn why a message did not arrive."""
    webhook = _status("failed", errors=[{"code": 131047, "title": "Re-engagement", "error_data": {"details": "24 h"}}])
    error = webhook.get_primary_error()
    assert webhook.has_errors()
    assert error is not None
    assert (error.error_code, error.error_title, error.error_details) == (131047, "Re-engagement", "24 h")
    assert not error.is_temporary_error()
    assert not _status("sent").has_errors()
    assert _status("sent").get_primary_error() is None


def test_billing_is_read_from_pricing_alone() -> None:
    """Every bill since the prices are per message would be zero."""
    window = {"id": "c", "origin": {"type": "marketing"}, "expiration_timestamp": "1760086400"}
    assert _status("sent", pricing={"billable": True}).is_billable_message()
    assert not _status("sent", conversation=window).is_billable_message()
    found = _status("sent", conversation=window).conversation_window
    assert found is not None
    assert (found.category, found.is_expired(datetime(2025, 1, 1, tzinfo=UTC))) == ("marketing", False)


def test_a_status_of_a_group_names_the_member() -> None:
    """A member's read receipt would count for everybody."""
    webhook = _status(
        "read",
        recipient="g",
        recipient_type="group",
        recipient_participant_id="1",
        recipient_participant_user_id="US.1",
    )
    assert (webhook.contact, webhook.recipient_id, webhook.user_id) == ("g", "g", "US.1")
    assert webhook.event_id.endswith("wamid.O:read:US.1")


@pytest.mark.parametrize(("data", "command"), [("cmd-7", "cmd-7"), ("campaign 5", None), (None, None)])
def test_the_command_of_a_status(data: str | None, command: str | None) -> None:
    """Somebody else's tracking data would be taken for a command's id."""
    webhook = _status("sent", biz_opaque_callback_data=data)
    assert (webhook.business_opaque_data, webhook.command_id) == (data, command)


@pytest.mark.parametrize(
    ("code", "retryable", "critical"),
    [(130429, 1, 0), (131056, 1, 0), (190, 0, 1), (131051, 0, 0), (210, 0, 1), (503, 1, 1)],
)
def test_errors_are_judged_by_their_code(code: int, retryable: int, critical: int) -> None:
    """A throttled number would not be retried, and an expired token would wake nobody."""
    webhook = _errors(131051, code)
    assert webhook.has_retryable_errors() is bool(retryable)
    assert webhook.has_critical_errors() is bool(critical)
    assert webhook.get_error_count() == 2
    assert webhook.get_error_codes() == [131051, code]
    assert webhook.get_primary_error().get_error_summary() == "131051: title 131051"


def test_no_code_is_in_both_tables() -> None:
    """A code would be retried without end while a person is waited for."""
    assert not RETRYABLE & CRITICAL


def test_the_text_is_in_no_summary_and_no_repr() -> None:
    """What users write would be in the logs."""
    webhook = _message("my secret")
    for shown in (webhook, webhook.message, webhook.get_summary(), webhook.message.to_summary_dict(), str(webhook)):
        assert "secret" not in repr(shown)
    for other in (_status("read").get_summary(), _errors(1).get_summary()):
        assert orjson.dumps(other)


def test_an_unknown_event_tells_what_it_can() -> None:
    """A handler could not even say that it does not understand."""
    hologram = text("wamid.1", type="hologram", hologram={"id": "5"})
    event = _event(UnknownEvent, contacts=[contact()], messages=[hologram])
    assert (event.event_type, event.get_message_type_name(), event.is_message) == ("message.hologram", "hologram", True)
    assert (event.message_id, event.part["hologram"]["id"]) == ("wamid.1", "5")
    assert (event.field_name, event.raw_value) == ("hologram", event.part)
    assert event.user is not None
    assert event.user.user_id == event.contact == "15550001111"
    assert event.get_summary()["event_type"] == "message.hologram"


def test_events_are_frozen() -> None:
    """One handler would see what another one changed."""
    with pytest.raises(ValidationError, match="frozen"):
        _message().contact = "x"  # type: ignore[misc]


BODY = {
    "kind": "status",
    "event_type": "status.sent",
    "event_id": "e",
    "provider": "cloud",
    "account": "1",
    "conversation": "cloud:1:2",
    "timestamp": "2026-01-01T00:00:00Z",
    "received_at": "2026-01-01T00:00:00Z",
    "message_id": "m",
    "status": "sent",
}


@given(
    st.dictionaries(st.text(min_size=1, max_size=8).map("x_".__add__), st.integers() | st.text(max_size=5), max_size=3)
)
def test_unknown_fields_survive_a_round_trip(more: Json) -> None:
    """What a newer version wrote would be lost by an older one that passes it on."""
    more = {name: number for name, number in more.items() if not isinstance(number, int) or abs(number) < 2**53}
    event = validate(BODY | more)
    assert event.model_extra == more
    assert decode(Raw(event.to_json())) == event


@pytest.mark.parametrize("content", [b"", b"{}", b'{"kind":"news"}', orjson.dumps(BODY | {"status": 5}), None])
def test_what_is_no_event_is_refused_without_being_quoted(content: bytes | None) -> None:
    """The stage would stop on it, or a user's words would be in the dead letter's headers."""
    with pytest.raises(InvalidRecord, match="not an event") as refusal:
        decode(Raw(content))
    assert "news" not in str(refusal.value)


def test_what_a_newer_version_wrote_is_unknown_and_not_lost() -> None:
    """While a new version is rolled out, the old workers would dead-letter every message of the new type."""
    message = {"id": "wamid.1", "timestamp": 1, "type": "hologram"}
    newer = BODY | {"kind": "message", "event_type": "message.hologram", "user": {"phone_number": "1"}}
    event = decode(Raw(orjson.dumps(newer | {"message": message})))
    assert isinstance(event, UnknownEvent)
    assert (event.event_id, event.message_id, event.part) == ("e", "wamid.1", message)
    assert decode(Raw(orjson.dumps(BODY | {"kind": "sighting"}))).event_type == "status.sent"


@given(st.text(min_size=1))
def test_statuses_are_an_open_set(name: str) -> None:
    """A status that Meta adds would be refused."""
    assert MessageStatus(name).value == name
    assert MessageStatus(name) == name


@pytest.mark.parametrize("name", ["", 5, None])
def test_a_status_is_a_name(name: Any) -> None:
    """An empty status would overwrite a real one."""
    with pytest.raises(ValueError, match="MessageStatus"):
        MessageStatus(name)


def test_flags_read_both_ways() -> None:
    """Half of the published examples call what the other half reads."""
    assert Flag(True)
    assert Flag(True)() is True
    assert Flag(False)() is False
    assert not Flag(False)
    assert repr(Flag(True)) == "True"


def test_the_names_that_handlers_import() -> None:
    """A handler would fail at its first line."""
    assert events.IncomingMessageWebhook is events.InboundMessageWebhook is MessageEvent
    assert events.StatusWebhook is StatusEvent
    assert events.ErrorWebhook is ErrorEvent
    assert all(hasattr(events, name) for name in events.__all__)


def test_messages_give_their_platform_data() -> None:
    """An older handler would not find the message in the platform's own words."""
    message = _message().message
    data = message.get_platform_data()
    assert data["from"] == "15550001111"
    assert type(message).from_platform_data(data) == message
    assert message.to_universal_dict()["message_id"] == "wamid.1"
    assert message.get_message_summary() == message.to_summary_dict()
