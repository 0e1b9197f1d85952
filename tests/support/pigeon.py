"""Pigeon: a provider that does not exist, as small as one can be. docs/new-provider.md is about this file.

It posts what happened in a loft, `{"loft": …, "items": [{"id": …, "from": …, "at": …, "note": …}, …]}`, with the loft's
secret in `X-Pigeon-Secret`, and takes `POST /notes`.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, Final

import orjson
from aiohttp import ClientError, ClientSession

from pipeline.errors import InvalidRecord, UnsupportedCommand
from pipeline.providers.base import Delivery, DeliveryStatus, Slice, WebhookRequest
from pipeline.providers.cloud.deliver import TIMEOUT, UNREACHED
from pipeline.providers.cloud.people import digits
from pipeline.providers.cloud.shapes import settled
from pipeline.providers.cloud.wire import Body, delivery
from pipeline.providers.loading import load
from pipeline.providers.times import instant
from pipeline.tenants import Account, Tenants
from pipeline.topics import headers
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events.wire import WireEvent
from pipeline.topics.keys import conversation_key
from pipeline.topics.records import Incoming, header

NAME: Final = "pigeon"


# --- authenticate
def opened(request: WebhookRequest, tenants: Tenants) -> Account | None:
    """The account of the path's tenant whose secret the request carries. Every secret is compared, in constant time."""
    given = request.headers.get("x-pigeon-secret", "").encode("utf-8", "surrogateescape")
    secrets = [
        (account, secret.get_secret_value().encode())
        for account in tenants.candidates(request.tenant_id, NAME)
        for secret in account.webhook_secrets
    ]
    matches = [account for account, secret in secrets if hmac.compare_digest(given, secret)]
    return matches[0] if matches else None


# --- split
def split(request: WebhookRequest, tenants: Tenants) -> list[Slice]:
    """A slice for each chat, in order of appearance; the body as it came where there is one."""
    account = opened(request, tenants)
    name = account.id if account else ""
    try:
        webhook = load(request.body)
    except InvalidRecord:
        return [Slice(key_of(name, None), name, request.body)]
    chats: dict[str | None, list[Any]] = {}
    for item in items_of(webhook):
        chats.setdefault(chat_of(item), []).append(item)
    if len(chats) < 2:
        return [Slice(key_of(name, next(iter(chats), None)), name, request.body)]
    return [Slice(key_of(name, chat), name, orjson.dumps(webhook | {"items": held})) for chat, held in chats.items()]


def items_of(webhook: Body) -> list[Any]:
    """Everything that becomes an event. What is not built as promised is one item: the webhook itself."""
    items = webhook.get("items")
    return items if isinstance(items, list) and items else [webhook] if webhook else []


def chat_of(item: Any) -> str | None:
    """The same for everything that names this person."""
    sender = item.get("from") if isinstance(item, dict) else None
    return sender if isinstance(sender, str) and sender else None


def key_of(account: str, chat: str | None) -> str:
    return conversation_key(NAME, account, chat) if account else NAME


# --- parse
def parse(record: Incoming) -> Iterator[WireEvent]:
    """Every item as an event, in order. Raises `InvalidRecord` for bytes that are no JSON object."""
    webhook = load(record.value or b"")
    for item in items_of(webhook):
        body = begin(record, item, webhook if item is webhook else webhook | {"items": [item]})
        if not note(item, body):
            unknown(item, body)
        yield WireEvent.of(body)


def begin(record: Incoming, item: Any, raw: Body) -> Body:
    """What every event has: `pipeline.topics.events.base.EventBase`. `route` adds the tenant."""
    webhook_id, received_at, traceparent = delivery(record)
    account, chat = header(record.headers, headers.ACCOUNT) or "", chat_of(item)
    return {
        "provider": NAME,
        "account": account,
        "conversation": key_of(account, chat),
        "contact": chat,
        "webhook_id": webhook_id,
        "timestamp": (instant(item.get("at")) if isinstance(item, dict) else None) or received_at,
        "received_at": received_at,
        "traceparent": traceparent,
        "raw": raw,
    }


def note(item: Any, body: Body) -> bool:
    """Makes `body` a text message, in the Cloud API's shape. False, if it is not built as one."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str) or "note" not in item:
        return False
    made = body | {
        "kind": "message",
        "event_type": "message.text",
        "event_id": f"{NAME}:{body['account']}:{item['id']}",
        "user": {"phone_number": item.get("from")},
        "message": {
            "id": item["id"],
            "from": item.get("from"),
            "timestamp": int(body["timestamp"].timestamp()),
            "type": "text",
            "text": {"body": item["note"]},
        },
    }
    if not settled(made):
        return False
    body |= made
    return True


def unknown(item: Any, body: Body) -> None:
    """Whatever has no model, whole. An id of its content: the same on every delivery, another one for anything else."""
    digest = blake2b(orjson.dumps(item, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
    body["kind"] = "unknown"
    body["event_type"] = "field.item"
    body["event_id"] = f"{NAME}:{body['account']}:hash-{digest}"
    body["part"] = item


# --- deliver
async def deliver(command: Command, account: Account, session: ClientSession) -> Delivery:
    """One attempt at one command. What was written to the wire and not answered is `UNKNOWN`, never tried again."""
    if command.kind is not CommandKind.TEXT:
        raise UnsupportedCommand(f"Pigeon can't do {command.kind}")
    url = f"{(account.base_url or 'https://api.pigeon.example').rstrip('/')}/notes"
    token = {"Authorization": f"Bearer {account.token.get_secret_value()}"}
    content = {"to": command.recipient, "note": command.body["text"]}
    try:
        async with session.post(url, json=content, headers=token, timeout=TIMEOUT, allow_redirects=False) as response:
            return meaning(response.status, response.headers.get("Retry-After", ""), await response.read())
    except UNREACHED as error:
        return Delivery(DeliveryStatus.RETRYABLE, error_message=type(error).__name__, delay=1.0)
    except (ClientError, TimeoutError) as error:
        return Delivery(DeliveryStatus.UNKNOWN, error_message=type(error).__name__)


def meaning(status: int, retry_after: str, body: bytes) -> Delivery:
    """What an answer says. Nothing of its words: they may quote the message."""
    try:
        message_id = load(body).get("id")
    except InvalidRecord:
        message_id = None
    if status < 300 and isinstance(message_id, str):
        return Delivery(DeliveryStatus.ACCEPTED, message_id)
    words = f"HTTP {status}"
    if status == 429:
        delay = float(retry_after) if retry_after.isdecimal() else 1.0
        return Delivery(DeliveryStatus.RETRYABLE, error_code=status, error_message=words, delay=delay)
    refused = 300 <= status < 500
    return Delivery(DeliveryStatus.PERMANENT if refused else DeliveryStatus.UNKNOWN, None, status, words)


# --- provider
class Pigeon:
    """Pigeon as a `pipeline.providers.base.Provider`; each account is a loft."""

    name: Final = NAME
    kinds: Final = frozenset({CommandKind.TEXT})

    def contact(self, recipient: str) -> str:
        return digits(recipient)

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return opened(request, tenants) is not None

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        return split(request, tenants)

    def parse(self, record: Incoming) -> Iterable[WireEvent]:
        return parse(record)

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> Delivery:
        return await deliver(command, account, session)
