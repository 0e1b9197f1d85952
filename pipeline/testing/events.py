"""Events of every kind in one line.

The sandbox makes the webhook, in the provider's own form, and the intake makes the event of it: a test gets the event
that a handler would get. All of them belong to the accounts and tenants of `examples/tenants.yaml`. `content` is given
in the Cloud API's shape, whatever the provider.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Final, cast
from uuid import uuid4

import orjson

from pipeline.errors import UsageError
from pipeline.providers import PROVIDERS
from pipeline.providers.api import event_body
from pipeline.sandbox.errors import SandboxError
from pipeline.sandbox.provider import UserMessage
from pipeline.sandbox.webhooks import SignedWebhook
from pipeline.testing.webhooks import account_of, cloud_webhook, intake, metadata, sample_tenants, sandbox_provider
from pipeline.topics.events import (
    AccountEvent,
    AnyEvent,
    APIMessageEvent,
    ErrorEvent,
    MessageEvent,
    StatusEvent,
    UnknownEvent,
)
from pipeline.topics.types import Json

USER: Final = "15550001111"
_MEDIUM: Final = {"id": "1234567890", "sha256": "c2hh", "url": "https://lookaside.example/1234567890"}


def incoming(
    type: str,  # noqa: A002
    content: Json | list[Json],
    *,
    from_: str = USER,
    provider: str = "cloud",
    name: str | None = None,
    message_id: str | None = None,
    user_id: str | None = None,
    **message: Any,
) -> MessageEvent:
    """Make a user's message of any type.

    Args:
        from_: the sender's phone number, digits.
        provider: `cloud`, `wasender`, `wawp` or `waha`.
        name: the sender's profile name.
        message_id: the provider's id; the same one twice is the same event twice.
        user_id: the sender's business-scoped id (Cloud API).
        message: more fields of the message, e.g. `context` or `referral` (Cloud API).

    Raises `UsageError` for a type that the provider does not have, or that is no message to handlers.
    """
    is_text = type == "text" and isinstance(content, dict)
    part = {"text": content["body"]} if is_text else {"type": type, "content": content}  # type: ignore[call-overload]
    fields = {"from": from_, "provider": provider, "name": name, "id": message_id, "user_id": user_id}
    webhook = _webhook(provider, UserMessage.model_validate(fields | part))
    (event,) = intake(provider, _with(webhook, message) if message else webhook)
    if not isinstance(event, MessageEvent):
        raise UsageError(f"a {type} of {provider} is no message but {event.event_type}: use events_of")
    return event


def incoming_text(text: str, **more: Any) -> MessageEvent:
    """Make a text. The other arguments are those of `incoming`, here and below."""
    return incoming("text", {"body": text}, **more)


def incoming_image(caption: str | None = None, *, mime_type: str = "image/jpeg", **more: Any) -> MessageEvent:
    """Make an image."""
    return incoming("image", _medium(mime_type, caption), **more)


def incoming_video(caption: str | None = None, *, mime_type: str = "video/mp4", **more: Any) -> MessageEvent:
    """Make a video."""
    return incoming("video", _medium(mime_type, caption), **more)


def incoming_audio(*, voice: bool = False, mime_type: str = "audio/ogg; codecs=opus", **more: Any) -> MessageEvent:
    """Make audio, or a voice note."""
    return incoming("audio", _medium(mime_type) | {"voice": voice}, **more)


def incoming_document(
    filename: str = "document.pdf", caption: str | None = None, *, mime_type: str = "application/pdf", **more: Any
) -> MessageEvent:
    """Make a document."""
    return incoming("document", _medium(mime_type, caption) | {"filename": filename}, **more)


def incoming_sticker(*, animated: bool = False, **more: Any) -> MessageEvent:
    """Make a sticker."""
    return incoming("sticker", _medium("image/webp") | {"animated": animated}, **more)


def incoming_location(
    latitude: float, longitude: float, place: str | None = None, address: str | None = None, **more: Any
) -> MessageEvent:
    """Make a place, in degrees."""
    named = {"name": place, "address": address}
    return incoming("location", {"latitude": latitude, "longitude": longitude} | _given(named), **more)


def incoming_contacts(*contacts: tuple[str, str], **more: Any) -> MessageEvent:
    """Make contact cards, each from a name and a phone number."""
    cards = [
        {"name": {"formatted_name": name, "first_name": name}, "phones": [{"phone": phone, "wa_id": phone.lstrip("+")}]}
        for name, phone in contacts
    ]
    return incoming("contacts", cards, **more)


def incoming_selection(
    id: str,  # noqa: A002
    title: str = "An option",
    *,
    listed: bool = False,
    answers: str = "wamid.MENU",
    **more: Any,
) -> MessageEvent:
    """Make a tap on a button, or on a row of a list if `listed`. `answers` is the message that had it (Cloud API)."""
    kind = "list_reply" if listed else "button_reply"
    if more.get("provider", "cloud") == "cloud":
        more = {"context": {"from": "15559990000", "id": answers}, **more}
    return incoming("interactive", {"type": kind, kind: {"id": id, "title": title}}, **more)


def incoming_reaction(emoji: str, to: str, **more: Any) -> MessageEvent:
    """Make a reaction to the message `to`; an empty emoji removes it."""
    return incoming("reaction", {"message_id": to, "emoji": emoji}, **more)


def incoming_order(*items: tuple[str, int, float], currency: str = "USD", text: str = "", **more: Any) -> MessageEvent:
    """Make an order of items, each a product's id, its quantity and its price."""
    products = [
        {"product_retailer_id": product, "quantity": quantity, "item_price": price, "currency": currency}
        for product, quantity, price in items
    ]
    return incoming("order", {"catalog_id": "catalog-1", "text": text, "product_items": products}, **more)


def status_event(
    status: str = "delivered",
    *,
    message_id: str = "wamid.SENT",
    to: str = USER,
    command_id: str | None = None,
    error: int | None = None,
) -> StatusEvent:
    """Make a status of a sent message (Cloud API).

    Args:
        status: the status.
        message_id: the provider's id of the message.
        to: the recipient.
        command_id: `SendResult.message_id` of the send.
        error: Meta's code, for `failed`.
    """
    content = {"id": message_id, "status": status, "timestamp": _now(), "recipient_id": to}
    known = {"biz_opaque_callback_data": command_id}
    errors = {"errors": [{"code": error, "title": f"Error {error}"}]} if error is not None else {}
    (event,) = intake("cloud", cloud_webhook(metadata() | {"statuses": [content | _given(known) | errors]}))
    return cast(StatusEvent, event)


def error_event(*codes: int, title: str = "Error") -> ErrorEvent:
    """Make errors that the platform reports about the number itself (Cloud API)."""
    errors = [{"code": code, "title": title, "message": title} for code in codes]
    (event,) = intake("cloud", cloud_webhook(metadata() | {"errors": errors}))
    return cast(ErrorEvent, event)


def api_message(path: str = "messages/send-text", *, provider: str = "cloud", **payload: Any) -> APIMessageEvent:
    """Make a send by the HTTP API, e.g. `api_message(text="Your parcel is on its way.")`.

    Args:
        path: the part of the URL after `/api/whatsapp/`.
        provider: the provider of the account.
        payload: the fields of its JSON body; `recipient` is `USER` unless given.
    """
    named, tenants = account_of(provider), sample_tenants()
    owner, account = tenants.owner(provider, named.id), tenants.account(provider, named.id)
    assert owner is not None and account is not None
    body = event_body(
        path, {"recipient": USER} | payload, f"api:{owner.id}:{uuid4().hex}", account, PROVIDERS[provider]
    )
    now = datetime.now(UTC)
    times = {"timestamp": now, "received_at": now, "tenant_id": owner.id}
    return APIMessageEvent.model_validate(body | times)


def account_event(field: str, value: Json) -> AccountEvent | UnknownEvent:
    """Make one change of any other webhook field of the Cloud API, e.g. `message_template_status_update`."""
    (event,) = intake("cloud", cloud_webhook(value, field))
    return cast("AccountEvent | UnknownEvent", event)


def events_of(body: bytes | Json, provider: str = "cloud") -> list[AnyEvent]:
    """Return every event of a provider's webhook, e.g. of one that you recorded."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return intake(provider, SignedWebhook("", {}, raw))


def _webhook(provider: str, message: UserMessage) -> SignedWebhook:
    try:
        return sandbox_provider(provider).message_webhook(account_of(provider), message)[1]
    except SandboxError as error:
        raise UsageError(str(error)) from None


def _with(webhook: SignedWebhook, fields: Json) -> SignedWebhook:
    """Return the webhook with more fields in its one message."""
    content = orjson.loads(webhook.body)
    try:
        content["entry"][0]["changes"][0]["value"]["messages"][0] |= fields
    except KeyError:
        raise UsageError(f"{', '.join(fields)}: only messages of the Cloud API take more fields") from None
    return webhook._replace(body=orjson.dumps(content))


def _medium(mime_type: str, caption: str | None = None) -> Json:
    return _MEDIUM | {"mime_type": mime_type} | _given({"caption": caption})


def _given(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _now() -> str:
    return str(int(time.time()))
