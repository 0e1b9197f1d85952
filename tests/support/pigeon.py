"""Pigeon: an invented provider, as small as possible. docs/new-provider.md is about this file.

It posts the events of a loft, `{"loft": …, "items": [{"id": …, "from": …, "at": …, "note": …}, …]}`, with the loft's
secret in `X-Pigeon-Secret`, and takes `POST /notes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

import orjson
from aiohttp import ClientError, ClientSession

from pipeline.backoff import RetryPolicy
from pipeline.errors import InvalidRecord, UnsupportedCommand
from pipeline.providers.base import AttemptStatus, SendAttempt, Slice, WebhookRequest
from pipeline.providers.code_policy import Action, CodePolicy, CodeTable, PauseScope, Source, pause_of
from pipeline.providers.shared.event_body import base_event, partition_key, webhook_meta
from pipeline.providers.shared.failures import failed_attempt
from pipeline.providers.shared.http import TIMEOUT, UNREACHED, no_answer, read_object, retry_after
from pipeline.providers.shared.loading import load_object
from pipeline.providers.shared.shapes import validates
from pipeline.providers.shared.times import instant
from pipeline.tenants import Account, Tenants
from pipeline.topics import headers
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.numbers import phone_digits
from pipeline.topics.records import ConsumedRecord, header
from pipeline.topics.types import Json

NAME: Final = "pigeon"


# --- authenticate
def find_account(request: WebhookRequest, tenants: Tenants) -> Account | None:
    """Return the account of the path's tenant whose secret the request contains."""
    holders = tenants.secret_holders(request.tenant_id, NAME, request.headers.get("x-pigeon-secret", ""))
    return holders[0] if holders else None


# --- split
def split_webhook(request: WebhookRequest, tenants: Tenants) -> list[Slice]:
    """Return one slice per chat, in order of appearance; the untouched body if there is only one chat."""
    account = find_account(request, tenants)
    name = account.id if account else ""
    try:
        webhook = load_object(request.body)
    except InvalidRecord:
        return [Slice(partition_key(NAME, name, None), name, request.body)]
    chats: dict[str | None, list[Any]] = {}
    for item in items_of(webhook):
        chats.setdefault(chat_of(item), []).append(item)
    if len(chats) < 2:
        return [Slice(partition_key(NAME, name, next(iter(chats), None)), name, request.body)]
    return [
        Slice(partition_key(NAME, name, chat), name, orjson.dumps(webhook | {"items": held}))
        for chat, held in chats.items()
    ]


def items_of(webhook: Json) -> list[Any]:
    """Return the parts that become events. A malformed webhook is one item: the webhook itself."""
    items = webhook.get("items")
    return items if isinstance(items, list) and items else [webhook] if webhook else []


def chat_of(item: Any) -> str | None:
    """Return the contact's part of the key, which is the same for every item of this person."""
    sender = item.get("from") if isinstance(item, dict) else None
    return sender if isinstance(sender, str) and sender else None


# --- parse
def parse_record(record: ConsumedRecord) -> Iterator[ParsedEvent]:
    """Return every item as an event, in order. Raises `InvalidRecord` if the bytes are no JSON object."""
    webhook = load_object(record.value or b"")
    for item in items_of(webhook):
        body = item_body(record, item, webhook if item is webhook else webhook | {"items": [item]})
        if not note(item, body):
            unknown(item, body)
        yield ParsedEvent.of(body)


def item_body(record: ConsumedRecord, item: Any, raw: Json) -> Json:
    """Return the fields that all kinds of events have. `route` adds the tenant."""
    account = header(record.headers, headers.ACCOUNT) or ""
    at = instant(item.get("at")) if isinstance(item, dict) else None
    return base_event(NAME, account, chat_of(item), raw, webhook_meta(record), timestamp=at)


def note(item: Any, body: Json) -> bool:
    """Make `body` a text message of the Cloud API's shape. Returns False if the item is malformed."""
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
    if not validates(made):
        return False
    body |= made
    return True


def unknown(item: Any, body: Json) -> None:
    """Make `body` an event with the whole item. Its id is a hash of the content."""
    digest = blake2b(orjson.dumps(item, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
    body["kind"] = "unknown"
    body["event_type"] = "field.item"
    body["event_id"] = f"{NAME}:{body['account']}:hash-{digest}"
    body["part"] = item


# --- error codes
PIGEON = Source("Pigeon", "https://pigeon.example/docs/errors")
TABLE = CodeTable(
    codes={
        401: CodePolicy(
            "the loft's token is not accepted",
            "put the right token into the tenants file, and restart the messengers",
            PIGEON,
            retry=pause_of(300),  # the command fails, and the account waits for so many seconds
            pauses=PauseScope.ACCOUNT,
            alerts=True,
        ),
        429: CodePolicy(
            "the loft has sent too many notes",
            "lower `limits.messages_per_second`",
            PIGEON,
            Action.RETRY,
            RetryPolicy(max_attempts=None, initial_delay=5, max_delay=300),
            PauseScope.ACCOUNT,
            lowers_limit=True,
        ),
    },
    other=CodePolicy("any other error", "read the outcome's text", PIGEON),
)


# --- deliver
async def send_command(command: Command, account: Account, session: ClientSession) -> SendAttempt:
    """Carry out one command. A request that was written and not answered is `UNKNOWN` and is never repeated."""
    if command.kind is not CommandKind.TEXT:
        raise UnsupportedCommand(f"Pigeon can't do {command.kind}")
    url = f"{(account.base_url or 'https://api.pigeon.example').rstrip('/')}/notes"
    token = {"Authorization": f"Bearer {account.token.get_secret_value()}"}
    content = {"to": command.recipient, "note": command.body["text"]}
    try:
        async with session.post(url, json=content, headers=token, timeout=TIMEOUT, allow_redirects=False) as response:
            return interpret(response.status, response.headers, await response.read())
    except UNREACHED as error:
        return no_answer(AttemptStatus.RETRYABLE, error, "Pigeon could not be reached")
    except (ClientError, TimeoutError) as error:
        return no_answer(AttemptStatus.UNKNOWN, error, "the request was written and no answer came")


def interpret(status: int, headers: Mapping[str, str], body: bytes) -> SendAttempt:
    """Return the attempt that an answer describes, without the answer's text, which may quote the message."""
    message_id, text = read_object(body).get("id"), f"HTTP {status}"
    if status < 300 and isinstance(message_id, str):
        return SendAttempt(AttemptStatus.ACCEPTED, message_id)
    if 300 <= status < 500:
        return failed_attempt(TABLE.policy(status), status, text, retry_after(headers))
    return SendAttempt(AttemptStatus.UNKNOWN, None, status, text)


# --- provider
class Pigeon:
    """Pigeon as a `pipeline.providers.base.Provider`. Each account is a loft."""

    name: Final = NAME
    kinds: Final = frozenset({CommandKind.TEXT})
    codes: Final = TABLE

    split = staticmethod(split_webhook)
    parse = staticmethod(parse_record)
    deliver = staticmethod(send_command)

    def contact(self, recipient: str) -> str:
        return phone_digits(recipient) or recipient

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return find_account(request, tenants) is not None
