"""Sends by the HTTP API, as records of `webhooks.raw`: the ingress writes them, and `parse` makes each an event.

They use the topic of webhooks so that a send stays in its conversation's order: it has the key of this contact's
webhooks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import orjson

from pipeline.errors import InvalidRecord
from pipeline.handlers.api.bodies import recipient_of
from pipeline.handlers.api.paths import PATHS
from pipeline.providers.base import Provider, Slice
from pipeline.providers.shared.event_body import webhook_meta
from pipeline.providers.shared.loading import load_object
from pipeline.tenants import Account
from pipeline.topics.commands import command_id
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.keys import conversation_key
from pipeline.topics.records import ConsumedRecord
from pipeline.topics.types import Json

_TEXTS: Final = ("event_id", "provider", "account", "conversation", "path", "message_type", "message_id")


class SendApi:
    """The source of send records beside the providers. One record is one event."""

    name: Final = "api"

    def parse(self, record: ConsumedRecord) -> Iterable[ParsedEvent]:
        """Return the one event of a record. Raises `InvalidRecord` if the ingress did not write it."""
        body = load_object(record.value or b"")
        if not all(isinstance(body.get(name), str) for name in _TEXTS):
            raise InvalidRecord("not a send of the HTTP API")
        meta = webhook_meta(record)
        body |= {"webhook_id": meta.webhook_id, "traceparent": meta.traceparent}
        body |= {"timestamp": meta.received_at, "received_at": meta.received_at}
        return (ParsedEvent.of(body),)


def event_body(path: str, payload: Json, event_id: str, account: Account, provider: Provider) -> Json:
    """Return a record's value: the event without the fields that the ingress writes into the record's headers.

    The event causes exactly one command, the first of its unit of work, so that the command's id is known before any
    handler runs.
    """
    named = recipient_of(payload)
    contact = provider.contact(named) if named else None
    about = {"business_id": account.business_id, "display_phone_number": account.display_phone_number}
    return {
        "kind": "api",
        "event_type": "api_message_sent",
        "event_id": event_id,
        "provider": account.provider,
        "account": account.id,
        "conversation": conversation_key(account.provider, account.id, contact),
        "contact": contact,
        "path": path,
        "message_type": PATHS[path].message_type,
        "message_id": command_id(event_id, 0),
        "request_payload": payload,
    } | {name: value for name, value in about.items() if value}


def slice_of(body: Json) -> Slice:
    return Slice(body["conversation"], body["account"], orjson.dumps(body))


SEND_API: Final = SendApi()
