"""Sends by the HTTP API as records of `webhooks.raw`: the ingress writes them, `parse` makes each an event.

They are on the way of webhooks so that a send stays in its conversation's order: its key is the one that the account's
own webhooks of this contact have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson

from pipeline.errors import InvalidRecord
from pipeline.handlers.api.bodies import recipient_of
from pipeline.handlers.api.paths import PATHS
from pipeline.providers.base import Provider, Slice
from pipeline.providers.cloud.wire import delivery
from pipeline.providers.loading import load
from pipeline.tenants import Account
from pipeline.topics.commands import command_id
from pipeline.topics.events.wire import WireEvent
from pipeline.topics.keys import conversation_key
from pipeline.topics.records import Incoming

Body = dict[str, Any]

_TEXTS: Final = ("event_id", "provider", "account", "conversation", "path", "message_type", "message_id")


class Api:
    """Beside the providers, what a record of `webhooks.raw` may come from. One record is one event."""

    name: Final = "api"

    def parse(self, record: Incoming) -> Iterable[WireEvent]:
        """Raises `InvalidRecord` for what the ingress has not written."""
        body = load(record.value or b"")
        if not all(isinstance(body.get(name), str) for name in _TEXTS):
            raise InvalidRecord("not a send of the HTTP API")
        webhook_id, received_at, traceparent = delivery(record)
        body |= {"webhook_id": webhook_id, "traceparent": traceparent}
        body |= {"timestamp": received_at, "received_at": received_at}
        return (WireEvent.of(body),)


def send(path: str, payload: Body, event_id: str, account: Account, provider: Provider) -> Body:
    """The value of a record: the event, save for what the ingress has in the record's headers.

    Its one command is the first of its unit of work, so that its id is known before anybody has handled it.
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


def slice_of(body: Body) -> Slice:
    return Slice(body["conversation"], body["account"], orjson.dumps(body))


API: Final = Api()
