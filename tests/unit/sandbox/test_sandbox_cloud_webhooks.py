"""Meta's webhooks as the sandbox makes them."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from typing import Any

import orjson
import pytest

from pipeline.sandbox.cloud.validation import validated
from pipeline.sandbox.cloud.webhooks import message_webhook, status_fields, status_webhook
from pipeline.sandbox.config import SAMPLE_ACCOUNTS
from pipeline.sandbox.provider import UserMessage
from pipeline.sandbox.status_queue import Update
from pipeline.sandbox.statuses import DEFAULT_STEPS, failing
from pipeline.sandbox.webhooks import SignedWebhook

ACCOUNT = SAMPLE_ACCOUNTS[0]
TEXT = {"to": "15550001111", "text": {"body": "hi"}, "biz_opaque_callback_data": "cmd-1"}


def message(**changes: object) -> UserMessage:
    return UserMessage.model_validate({"from": "15550001111", "text": "hello"} | changes)


def value_of(webhook: SignedWebhook) -> dict[str, Any]:
    (entry,) = orjson.loads(webhook.body)["entry"]
    (change,) = entry["changes"]
    assert (entry["id"], change["field"]) == (ACCOUNT.business_id, "messages")
    value: dict[str, Any] = change["value"]
    return value


def update(message_id: str = "wamid.1", account: Any = ACCOUNT, **body: Any) -> Update:
    return Update(account, message_id, status_fields(validated(TEXT | body)), DEFAULT_STEPS, 1_760_000_000.7)


def test_a_webhook_is_signed_over_its_bytes() -> None:
    """The ingress would refuse everything that the sandbox posts."""
    _, webhook = message_webhook(ACCOUNT, message(text="héllo"))
    wanted = hmac.new(ACCOUNT.webhook_secret.encode(), webhook.body, hashlib.sha256).hexdigest()
    assert webhook.headers["X-Hub-Signature-256"] == f"sha256={wanted}"


def test_a_users_message_has_metas_shape() -> None:
    """Parsers would be tested against a webhook that Meta never sends."""
    (message_id,), webhook = message_webhook(ACCOUNT, message(name="Ana", user_id="US.4815162342108"))
    value = value_of(webhook)
    sent_at = value["messages"][0].pop("timestamp")
    assert sent_at.isdigit()
    assert value == {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15559990000", "phone_number_id": "106540352242922"},
        "contacts": [{"profile": {"name": "Ana"}, "wa_id": "15550001111", "user_id": "US.4815162342108"}],
        "messages": [
            {
                "from": "15550001111",
                "from_user_id": "US.4815162342108",
                "id": message_id,
                "type": "text",
                "text": {"body": "hello"},
            }
        ],
    }


def test_several_texts_come_in_one_webhook_in_order() -> None:
    """Batches, which providers do send, could not be tried out."""
    ids, webhook = message_webhook(ACCOUNT, message(text=["one", "two"]))
    messages = value_of(webhook)["messages"]
    assert [(each["id"], each["text"]["body"]) for each in messages] == list(zip(ids, ["one", "two"], strict=True))


def test_a_given_id_is_kept() -> None:
    """A redelivery of an older message could not be tried out."""
    ids, _ = message_webhook(ACCOUNT, message(id="wamid.AGAIN"))
    assert ids == ["wamid.AGAIN"]


def test_the_statuses_of_a_message_have_metas_shape() -> None:
    """Status handlers would be tested against fields that Meta does not send."""
    sending = update()
    (sent,) = value_of(status_webhook([sending]))["statuses"]
    assert sent == {
        "id": "wamid.1",
        "status": "sent",
        "timestamp": "1760000000",
        "recipient_id": "15550001111",
        "biz_opaque_callback_data": "cmd-1",
        "pricing": {
            "billable": False,
            "pricing_model": "PMP",
            "type": "free_customer_service",
            "category": "service",
        },
    }
    assert sending.advance()
    assert sending.advance()
    (read,) = value_of(status_webhook([sending]))["statuses"]
    assert (read["status"], read["timestamp"]) == ("read", "1760000001")
    assert "pricing" not in read
    assert not sending.advance()


def test_a_status_tried_again_is_the_same_bytes() -> None:
    """A redelivered status would look like a new one."""
    sending = update()
    assert status_webhook([sending]) == status_webhook([sending])


def test_a_failed_status_carries_its_error() -> None:
    """Nobody could tell why a message failed."""
    sending = update()
    sending.steps = failing(DEFAULT_STEPS, 131026)
    (failed,) = value_of(status_webhook([sending]))["statuses"]
    assert failed["status"] == "failed"
    assert failed["errors"][0]["code"] == 131026
    assert "pricing" not in failed


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"to": None, "recipient": "US.1"}, {"recipient_user_id": "US.1"}),
        ({"to": "group-1", "recipient_type": "group"}, {"recipient_id": "group-1", "recipient_type": "group"}),
    ],
)
def test_a_status_names_the_recipient_as_it_was_addressed(body: dict[str, Any], wanted: dict[str, Any]) -> None:
    """A status could not be matched with whom the message was for."""
    (status,) = value_of(status_webhook([update(**body)]))["statuses"]
    assert {name: status[name] for name in status if name.startswith("recipient")} == wanted


def test_statuses_of_two_numbers_share_a_webhook_in_changes_of_their_own() -> None:
    """Batched statuses would be reported under the wrong number."""
    other = dataclasses.replace(ACCOUNT, id="2", business_id="3")
    webhook = status_webhook([update("wamid.1"), update("wamid.2", other), update("wamid.3")])
    entries = orjson.loads(webhook.body)["entry"]
    found = {
        (entry["id"], change["value"]["metadata"]["phone_number_id"]): [
            status["id"] for status in change["value"]["statuses"]
        ]
        for entry in entries
        for change in entry["changes"]
    }
    assert found == {(ACCOUNT.business_id, ACCOUNT.id): ["wamid.1", "wamid.3"], ("3", "2"): ["wamid.2"]}


def test_a_message_of_any_type_holds_its_content() -> None:
    """Only texts could be tried out."""
    place = {"latitude": 38.9, "longitude": -77.1}
    sent = UserMessage.model_validate({"from": "15550001111", "type": "location", "content": place})
    (found,) = value_of(message_webhook(ACCOUNT, sent)[1])["messages"]
    assert (found["type"], found["location"]) == ("location", place)


@pytest.mark.parametrize(
    "fields", [{}, {"text": "a", "type": "image", "content": {}}, {"type": "image"}, {"content": {}}]
)
def test_a_message_holds_one_thing(fields: dict[str, Any]) -> None:
    """Half of a request would be left out in silence."""
    with pytest.raises(ValueError, match="give text, or a type and its content"):
        UserMessage.model_validate({"from": "15550001111"} | fields)
