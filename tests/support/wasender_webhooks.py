"""Wasender webhooks for tests: builders, the documented examples, and strategies that make many."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import orjson
from hypothesis import strategies as st

from pipeline.ingress.records import IngressMetadata, RecordBuilder, webhook_id
from pipeline.providers.base import Slice, WebhookRequest
from pipeline.providers.wasender import Wasender
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord
from pipeline.topics.events.wire import ParsedEvent

SESSION = "shop-session"
KEY = "wasender-api-key-4821"
SECRETS = ("current-webhook-secret", "previous-webhook-secret")
OTHER_SECRET = "somebody-elses-secret"
EXAMPLES = Path(__file__).parents[1] / "data" / "wasender" / "webhooks.json"
ANA = "15550001111"
GROUP = "120363000000000001@g.us"

Json = dict[str, Any]


def tenants() -> Tenants:
    shop = {"provider": "wasender", "id": SESSION, "token": KEY, "webhook_secrets": list(SECRETS)}
    other = {"provider": "wasender", "id": "other", "token": "other-api-key", "webhook_secrets": [OTHER_SECRET]}
    closed = {"provider": "wasender", "id": "closed", "token": "closed-api-key"}
    content = [{"id": "shop", "accounts": [shop]}, {"id": "other", "accounts": [other]}]
    return Tenants(TenantsFile.model_validate({"tenants": [*content, {"id": "closed", "accounts": [closed]}]}))


TENANTS = tenants()


def request(body: bytes, secret: str = SECRETS[0], tenant: str = "shop") -> WebhookRequest:
    return WebhookRequest(body, {"x-webhook-signature": secret}, {}, tenant)


def key(message_id: str, sender: str = ANA, **more: Any) -> Json:
    return {"id": message_id, "fromMe": False, "remoteJid": f"{sender}@s.whatsapp.net"} | more


def text(message_id: str, sender: str = ANA, body: str = "Hello", **more: Any) -> Json:
    """One element of `data.messages`."""
    named = {"pushName": "Ana", "messageTimestamp": 1_759_999_999}
    return {"key": key(message_id, sender), "messageBody": body, "message": {"conversation": body}} | named | more


def holding(content: Json, message_id: str = "3EB0AA", **more: Any) -> Json:
    """A message of another type than text."""
    return {"key": key(message_id, **more), "message": content, "messageTimestamp": 1_759_999_999}


def webhook(event: str, data: Any, timestamp: Any = 1_760_000_000, **more: Any) -> Json:
    return {"event": event, "timestamp": timestamp, "data": data} | more


def received(item: Json, event: str = "messages.received") -> Json:
    return webhook(event, {"messages": item})


def slices(content: Json | bytes) -> list[Slice]:
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    return list(Wasender().split(request(body), TENANTS))


def events(content: Json | bytes, at_ms: int = 1_760_000_000_500) -> list[ParsedEvent]:
    """What comes of a webhook that arrives at a time: the ingress' records, parsed."""
    metadata = IngressMetadata("wasender", "shop", webhook_id(b""), at_ms, b"trace")
    records = RecordBuilder(TENANTS).build(slices(content), metadata)
    return [event for record in records for event in Wasender().parse(TestRecord.of(record))]


def examples() -> list[Json]:
    """Every webhook of Wasender's documents and SDKs."""
    loaded: list[Json] = orjson.loads(EXAMPLES.read_bytes())
    return loaded


_serial = itertools.count()
_chats = st.sampled_from([ANA, "15550002222", "777000111@lid", GROUP])


def _written(chat: str, member: str) -> Json:
    sender = {"remoteJid": chat} if "@" in chat else {"remoteJid": f"{chat}@s.whatsapp.net"}
    participant = {"participant": f"{member}@s.whatsapp.net"} if chat == GROUP else {}
    return text(f"3EB0{next(_serial):08d}") | {"key": key(f"3EB0{next(_serial):08d}") | sender | participant}


messages = st.builds(_written, _chats, st.sampled_from([ANA, "15550002222"]))
"""Messages of several chats, each of them another one."""
webhooks = st.lists(messages, min_size=1, max_size=6).map(lambda many: webhook("messages.upsert", {"messages": many}))
"""Batches of those."""
