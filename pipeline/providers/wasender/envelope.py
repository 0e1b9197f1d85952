"""Read the envelope of a Wasender webhook, and the parts in it that become events.

    {"event": "messages.upsert", "sessionId": …, "timestamp": 1760000000, "data": …}

The form of `data` depends on the event and on Wasender's version: one object, a list of objects, either of these under
a name (`messages`, `keys`, `message`, `call`), or the fields themselves (flat). Each element is a part. The code trusts
no type: a malformed piece is a part as well, and becomes an unknown event.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pipeline.providers.shared.size_limits import require_parts

MESSAGES: Final = frozenset(
    {
        "messages.received",
        "messages.recieved",  # so spelt in the provider's Python SDK
        "messages.upsert",
        "messages-personal.received",
        "messages-group.received",
        "messages-newsletter.received",
    }
)
"""Event names of messages. One message may arrive under up to three of them; it is one event."""
STATUS: Final = "messages.update"
SENT: Final = "message.sent"
RECEIPT: Final = "message-receipt.update"
REACTION: Final = "messages.reaction"
DELETE: Final = "messages.delete"
CALLS: Final = frozenset({"call", "call.received"})

_NESTED_UNDER: Final = {
    **dict.fromkeys(MESSAGES, "messages"),
    DELETE: "keys",
    RECEIPT: "message",
    **dict.fromkeys(CALLS, "call"),
}
"""Names under which an event's parts may be nested."""


_ENVELOPE_FIELDS: Final = ("event", "type", "timestamp", "sessionId", "instanceId", "apiKeyId")
"""Known fields of the envelope. They belong to every part."""


class WebhookPart(NamedTuple):
    """A part of a webhook, which becomes one event.

    Attributes:
        event: the webhook's event name; empty without one.
        name: the field of `data` that contains the part; empty if `data` is the part or a list of parts.
        is_list_element: True if the part is an element of a list.
        item: its JSON.
    """

    event: str
    name: str
    is_list_element: bool
    item: Any


def list_parts(webhook: dict[str, Any]) -> list[WebhookPart]:
    """Return every part, in order. `{}` has none; an empty list is a part itself.

    Raises `OversizeRecord` for too many parts.
    """
    if not webhook:
        return []
    event, data = event_name(webhook), webhook.get("data")
    name = _NESTED_UNDER.get(event, "")
    held = data
    if name and type(data) is dict and name in data:
        held = data[name]
    else:
        name = ""
    if type(held) is list and held:
        require_parts(len(held))
        return [WebhookPart(event, name, True, item) for item in held]
    return [WebhookPart(event, name, False, held)]


def extract_parts(webhook: dict[str, Any], members: list[WebhookPart], *, is_first: bool) -> dict[str, Any]:
    """Return the webhook with these of its parts and no others: a slice, or the raw form of an event.

    Unknown fields of the envelope are only in the webhook with the first part, so that a large field is not multiplied.
    """
    first = members[0]
    if not first.is_list_element:
        return webhook
    held: Any = [part.item for part in members]
    if first.name:
        held = (webhook["data"] if is_first else {}) | {first.name: held}
    around = webhook if is_first else {name: webhook[name] for name in _ENVELOPE_FIELDS if name in webhook}
    return around | {"data": held}


def event_name(webhook: dict[str, Any]) -> str:
    """Return the event's name. Wasender's SDK documents the field as `type`, but its servers send `event`."""
    for field in ("event", "type"):
        found = webhook.get(field)
        if type(found) is str:
            return found
    return ""
