"""Meta's signed webhooks: users' messages, and statuses of messages to them."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from pipeline.sandbox.cloud.errors import reported
from pipeline.sandbox.cloud.ids import inbound_id
from pipeline.sandbox.cloud.validation import CloudSend
from pipeline.sandbox.config import SandboxAccount
from pipeline.sandbox.provider import UserMessage
from pipeline.sandbox.status_queue import Update
from pipeline.sandbox.statuses import StatusStep
from pipeline.sandbox.types import JsonObject
from pipeline.sandbox.webhooks import SignedWebhook

PATH: Final = "/webhooks/cloud"
_PRICED: Final = frozenset({"sent", "delivered"})


def signature(secret: str, body: bytes) -> str:
    """Return the value of `X-Hub-Signature-256`: HMAC-SHA256 of the body's bytes with the app secret."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def message_webhook(account: SandboxAccount, message: UserMessage) -> tuple[list[str], SignedWebhook]:
    """Return the ids of a user's messages, and one webhook that contains them all."""
    if message.type == "user_preferences":
        return [], _preference_webhook(account, message)
    first = [message.id] if message.id else []
    ids = first + [inbound_id(message.sender) for _ in message.contents[len(first) :]]
    messages = [_message(message, *pair) for pair in zip(ids, message.contents, strict=True)]
    value = _value(account) | {"contacts": [_contact(message)], "messages": messages}
    return ids, _webhook(account, [(account, value)])


def status_webhook(updates: Sequence[Update]) -> SignedWebhook:
    """Return the webhook that reports the current step of each update; the updates of a number share one change."""
    numbers: dict[str, tuple[SandboxAccount, list[JsonObject]]] = {}
    for update in updates:
        numbers.setdefault(update.account.id, (update.account, []))[1].append(_status(update))
    values = [(account, _value(account) | {"statuses": statuses}) for account, statuses in numbers.values()]
    return _webhook(updates[0].account, values)


def status_fields(send: CloudSend) -> JsonObject:
    """Return the fields of all statuses of this message."""
    template = send.type == "template"
    pricing = {
        "billable": template,
        "pricing_model": "PMP",
        "type": "regular" if template else "free_customer_service",
        "category": "utility" if template else "service",
    }
    fields: JsonObject = {
        "recipient_user_id" if send.to.kind == "user" else "recipient_id": send.to.id,
        "pricing": pricing,
    }
    if send.to.kind == "group":
        fields["recipient_type"] = "group"
    if send.callback_data is not None:
        fields["biz_opaque_callback_data"] = send.callback_data
    return fields


def _status(update: Update) -> JsonObject:
    step = update.step
    status = {"id": update.message_id, "status": step.status, "timestamp": str(int(update.at))} | update.fields
    if step.status not in _PRICED:
        del status["pricing"]
    return status | _errors(step)


def _errors(step: StatusStep) -> JsonObject:
    return {} if step.code is None else {"errors": [reported(step.code)]}


def _message(message: UserMessage, message_id: str, content: JsonObject) -> JsonObject:
    sender = {"from": message.sender} | ({"from_user_id": message.user_id} if message.user_id else {})
    told = {"id": message_id, "timestamp": str(int(time.time())), "type": message.type, message.type: content}
    return sender | told


def _preference_webhook(account: SandboxAccount, message: UserMessage) -> SignedWebhook:
    """Return the webhook of a user who stops or resumes marketing messages."""
    user = {"wa_id": message.sender} | ({"user_id": message.user_id} if message.user_id else {})
    told = {
        "detail": f"User requested to {message.preference} marketing messages",
        "category": "marketing_messages",
        "value": message.preference,
        "timestamp": int(time.time()),
    }
    value = _value(account) | {"contacts": [_contact(message)], "user_preferences": [user | told]}
    return _webhook(account, [(account, value)], "user_preferences")


def _contact(message: UserMessage) -> JsonObject:
    contact: JsonObject = {"profile": {"name": message.name or message.sender}, "wa_id": message.sender}
    return contact | ({"user_id": message.user_id} if message.user_id else {})


def _value(account: SandboxAccount) -> JsonObject:
    metadata = {"display_phone_number": account.display_phone_number, "phone_number_id": account.id}
    return {"messaging_product": "whatsapp", "metadata": metadata}


def _webhook(
    signer: SandboxAccount, values: Iterable[tuple[SandboxAccount, JsonObject]], field: str = "messages"
) -> SignedWebhook:
    entries: dict[str | None, list[JsonObject]] = {}
    for account, value in values:
        entries.setdefault(account.business_id, []).append({"value": value, "field": field})
    entry = [{"id": business, "changes": changes} for business, changes in entries.items()]
    body = orjson.dumps({"object": "whatsapp_business_account", "entry": entry})
    headers = {
        "Content-Type": "application/json",
        "X-Hub-Signature-256": signature(signer.webhook_secret, body),
        "User-Agent": "facebookexternalua",
    }
    return SignedWebhook(PATH, headers, body)
