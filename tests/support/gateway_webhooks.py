"""WAHA's webhooks, which are Wawp's as well, for tests: builders, the documented examples, and tenants."""

from __future__ import annotations

import hmac
import itertools
from pathlib import Path
from typing import Any

import orjson
from hypothesis import strategies as st

from pipeline.providers import PROVIDERS
from pipeline.providers.base import WebhookRequest
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord
from pipeline.topics import headers
from pipeline.topics.events import decode
from pipeline.topics.events.wire import ParsedEvent

SESSION = "INSTANCE_ID"
OWN = "15559990000@c.us"
ANA = "15550001111@c.us"
GROUP = "120363000000000001@g.us"
SECRETS = ("current-webhook-secret", "previous-webhook-secret")
EXAMPLES = Path(__file__).parents[1] / "data"

Json = dict[str, Any]


def tenants(provider: str, **more: Any) -> Tenants:
    """Two tenants: `initech` has the session of the builders, `umbrella` another one."""
    account = {"provider": provider, "id": SESSION, "webhook_secrets": list(SECRETS), "token": "a-token", **more}
    other = {"provider": provider, "id": "OTHER_ID", "webhook_secrets": ["umbrellas-own-secret"], "token": "t"}
    owners = [{"id": "initech", "accounts": [account]}, {"id": "umbrella", "accounts": [other]}]
    return Tenants(TenantsFile.model_validate({"tenants": owners}))


def request(provider: str, body: bytes, secret: str = SECRETS[0], **more: Any) -> WebhookRequest:
    """The request by which the provider sends `body` to initech's path."""
    fields = {"tenant_id": "initech", "remote": "203.0.113.7", **more}
    if provider == "wawp":
        return WebhookRequest(body, {}, {"secret": secret}, **fields)
    return WebhookRequest(body, {"x-webhook-hmac": signature(body, secret)}, {}, **fields)


def signature(body: bytes, secret: str = SECRETS[0]) -> str:
    return hmac.digest(secret.encode(), body, "sha512").hex()


def webhook(event: str, payload: object, **more: Any) -> Json:
    envelope = {"id": f"evt_{event}", "timestamp": 1760000000123, "session": SESSION, "engine": "WEBJS", "event": event}
    return envelope | {"payload": payload, "me": {"id": OWN, "lid": "123123@lid", "pushName": "Shop"}} | more


def text(number: int, sender: str = ANA, body: str | None = "Hello", **more: Any) -> Json:
    """The payload of the `number`-th message."""
    named = {"id": f"false_{sender}_3EB0{number:04d}", "from": sender, "to": OWN, "fromMe": False}
    return named | {"timestamp": 1760000000, "body": body, "hasMedia": False, "_data": {"notifyName": "Ana"}} | more


def ack(number: int, value: int, name: str | None = None, chat: str = ANA, **more: Any) -> Json:
    named = {"ackName": name} if name else {}
    return {"id": f"true_{chat}_3EB0{number:04d}", "ack": value, **named, "chatId": chat} | more


def about(person: str) -> list[Json]:
    """A webhook of each kind of event that names a person, each telling something else."""
    told = [
        ("message", text(1, person)),
        ("message.reaction", text(2, person) | {"reaction": {"text": "👍", "messageId": f"true_{person}_A"}}),
        ("message.revoked", {"after": {"id": f"false_{person}_D"}, "revokedMessageId": "A", "before": None}),
        ("message.edited", text(3, person) | {"editedMessageId": "B", "body": "New"}),
        ("message", text(4, person) | {"body": None, "type": "hologram"}),
        *(("message.ack", ack(5, value, chat=person)) for value in (-1, 1, 3)),
        ("call.received", {"id": "CALL1", "from": person, "timestamp": 1760000000, "isVideo": False}),
        ("chat.archive", {"id": person, "timestamp": 1760000000, "archived": True}),
    ]
    return [webhook(event, payload, id=f"evt_{number}") for number, (event, payload) in enumerate(told)]


def parsed(provider: str, content: Json, account: str | None = SESSION) -> ParsedEvent:
    """The event of a webhook that reached the intake."""
    named = ((headers.ACCOUNT, account.encode()),) if account else ()
    (event,) = PROVIDERS[provider].parse(TestRecord(orjson.dumps(content), headers=named))
    return event


def event_of(provider: str, content: Json) -> Any:
    """The same as a handler gets it."""
    return decode(TestRecord(parsed(provider, content).encode("acme")))


def examples(provider: str) -> list[Json]:
    """Every webhook of the provider's pages."""
    loaded: list[Json] = orjson.loads((EXAMPLES / provider / "webhooks.json").read_bytes())
    return loaded


CASES = [path.stem for path in sorted((EXAMPLES / "gateways").glob("waha-*.json"))]
"""What people reported of WAHA."""


def case(name: str) -> list[Json]:
    """Webhooks that people reported, in the order in which they are posted."""
    loaded: list[Json] = orjson.loads((EXAMPLES / "gateways" / f"{name}.json").read_bytes())
    return loaded


_serial = itertools.count()
_people = st.sampled_from([ANA, "15550002222@c.us", "777000111@lid", GROUP])
_messages = st.builds(lambda chat: webhook("message", text(next(_serial), chat)), _people)
_acks = st.builds(
    lambda chat, value: webhook("message.ack", ack(next(_serial), value, chat=chat)), _people, st.integers(-1, 4)
)
webhooks = st.one_of(_messages, _acks)
"""Messages and statuses, each of them another one."""
