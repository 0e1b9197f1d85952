"""The typed union by the names of the provider's SDK."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest

from pipeline.providers.wasender.webhook import (
    MessageCreatedEvent,
    MessagesEvent,
    MessagesUpdateEvent,
    SessionStatusData,
    SessionStatusEvent,
    UnknownWebhookEvent,
    WasenderWebhookEvent,
    WasenderWebhookEventType,
    read,
)
from tests.support.wasender_webhooks import Json, events, examples, received, text, webhook


def test_every_documented_webhook_has_its_member() -> None:
    """Code that was written against the SDK would see nothing of what it lost there."""
    for example in examples():
        found = read(example)
        assert isinstance(found, UnknownWebhookEvent) is (example["data"] == {}), example["event"]
        assert found.type == example["event"]


def test_every_name_that_is_known_has_a_model() -> None:
    """An event of the list would be an unknown one as soon as it comes."""
    known = {example["event"] for example in examples()}
    missing = {
        "messages.recieved",
        "messages-personal.received",
        "message.created",
        "message.updated",
        "session.qr_code.updated",
        "call.received",
    }
    assert {kind.value for kind in WasenderWebhookEventType} == known | missing


@pytest.mark.parametrize("data", [{"messages": text("A")}, {"messages": [text("A")]}, text("A"), [text("A")]])
def test_messages_are_a_list_however_they_come(data: Any) -> None:
    """A receiver would lose the message of the shape that it does not expect: the SDK does."""
    found = read(webhook("messages.upsert", data))
    assert isinstance(found, MessagesEvent)
    assert [(each.key.id, each.message_body) for each in found.data] == [("A", "Hello")]


@pytest.mark.parametrize("status", [3, "delivered"])
def test_statuses_are_numbers_or_words(status: object) -> None:
    """Half of the servers' versions would be refused."""
    found = read(webhook("messages.update", {"update": {"status": status}, "key": {"id": "A"}}, 1_760_000_000_123))
    assert isinstance(found, MessagesUpdateEvent)
    assert found.data[0].update.status == status


@pytest.mark.parametrize(
    "odd",
    [{}, {"event": 5}, {"event": "hologram", "data": 1}, {"event": "call"}, {"type": "call", "data": 5}],
)
def test_what_is_odd_is_unknown(odd: Json) -> None:
    """Analytics over years of raw webhooks would end at the first odd one."""
    assert isinstance(read(odd), UnknownWebhookEvent)


def test_the_event_of_a_handler_leads_to_it() -> None:
    """What only Wasender tells would be out of a handler's reach."""
    (event,) = events(received(text("3EB0", body="Is it open?")))
    found = read(event.body["raw"])
    assert isinstance(found, MessagesEvent)
    assert found.data[0].message_body == "Is it open?"


def test_patterns_match() -> None:
    """The module's own example would be wrong."""
    match read(webhook("session.status", {"status": "need_scan"})):
        case SessionStatusEvent(data=SessionStatusData(status="need_scan")):
            pass
        case other:
            raise AssertionError(other)


def handled(webhook_event: WasenderWebhookEvent, logger: logging.Logger) -> None:
    """The event handling of the SDK's guide, after the signature is checked, which is the ingress' part."""
    event_type_value = webhook_event.type.value
    if event_type_value == WasenderWebhookEventType.MESSAGE_CREATED.value:
        data: Any = webhook_event.data
        message_info = data.get("message") if isinstance(data, dict) else getattr(data, "message", None)
        if message_info:
            logger.info(f"New message from {message_info.from_number}: {message_info.text}")
    elif event_type_value == WasenderWebhookEventType.SESSION_STATUS.value:
        data = webhook_event.data
        status_info = data.get("status") if isinstance(data, dict) else getattr(data, "status", None)
        logger.info(f"Session status update for session {webhook_event.session_id}: {status_info}")
    else:
        logger.info(f"Received an unhandled webhook event type: {event_type_value}")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            {
                "type": "message.created",
                "data": {"message": {"id": "1", "from": "15550001111", "to": "2", "type": "text"}},
            },
            "New message from 15550001111: None",
        ),
        (
            {"event": "session.status", "sessionId": "s", "data": {"status": "NEED_SCAN"}},
            "Session status update for session s: NEED_SCAN",
        ),
        (webhook("groups.update", [{"jid": "1@g.us"}]), "Received an unhandled webhook event type: groups.update"),
        (webhook("hologram", {}), "Received an unhandled webhook event type: hologram"),
    ],
)
def test_the_guides_handling_runs(content: Json, line: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever comes from the SDK's guide would have to write it anew."""
    with caplog.at_level(logging.INFO):
        handled(read(orjson.loads(orjson.dumps(content))), logging.getLogger("guide"))
    assert [record.getMessage() for record in caplog.records] == [line]


def test_both_names_of_the_type_are_there() -> None:
    """The SDK's page says `type`, its servers send `event`."""
    found = read({"type": "message.created", "data": {"message": {"id": "1", "from": "1", "to": "2", "type": "text"}}})
    assert isinstance(found, MessageCreatedEvent)
    assert found.event is found.type is WasenderWebhookEventType.MESSAGE_CREATED
