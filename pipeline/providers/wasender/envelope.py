"""The envelope of a Wasender webhook and the parts in it that become events.

    {"event": "messages.upsert", "sessionId": …, "timestamp": 1760000000, "data": …}

What `data` holds depends on the event and on the provider's version: one object, a list of them, either of these
under a name (`messages`, `keys`, `message`, `call`), or the fields themselves (flat). Each element is a part. Nothing
here trusts a type: what is not built as promised is a part as well, and arrives as an unknown event.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pipeline.providers.limits import require_parts

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
"""One message may come as up to three of these; it is one event."""
STATUS: Final = "messages.update"
SENT: Final = "message.sent"
RECEIPT: Final = "message-receipt.update"
REACTION: Final = "messages.reaction"
DELETE: Final = "messages.delete"
CALLS: Final = frozenset({"call", "call.received"})

_NAMED: Final = {
    **dict.fromkeys(MESSAGES, "messages"),
    DELETE: "keys",
    RECEIPT: "message",
    **dict.fromkeys(CALLS, "call"),
}
"""Where the parts of an event's data may be one level deeper."""


_KNOWN: Final = ("event", "type", "timestamp", "sessionId", "instanceId", "apiKeyId")
"""What surrounds the parts and belongs to each of them."""


class Part(NamedTuple):
    """What becomes one event.

    Attributes:
        event: the webhook's event name; empty where it has none.
        name: the field of `data` that holds the part; empty where `data` is the part, or a list of them.
        listed: whether the part is an element of a list.
        item: its JSON.
    """

    event: str
    name: str
    listed: bool
    item: Any


def parts(webhook: dict[str, Any]) -> list[Part]:
    """Every part, in order. Nothing comes of `{}`; an empty list is a part itself.

    Raises `OversizeRecord` when there are too many.
    """
    if not webhook:
        return []
    event, data = event_of(webhook), webhook.get("data")
    name = _NAMED.get(event, "")
    held = data
    if name and type(data) is dict and name in data:
        held = data[name]
    else:
        name = ""
    if type(held) is list and held:
        require_parts(len(held))
        return [Part(event, name, True, item) for item in held]
    return [Part(event, name, False, held)]


def holding(webhook: dict[str, Any], members: list[Part], *, is_first: bool) -> dict[str, Any]:
    """The webhook with these of its parts and no others: what a slice is, and the raw form of an event.

    Fields of the envelope that are not known are there once, where the webhook's first part is: a large one would be
    multiplied.
    """
    first = members[0]
    if not first.listed:
        return webhook
    held: Any = [part.item for part in members]
    if first.name:
        held = (webhook["data"] if is_first else {}) | {first.name: held}
    around = webhook if is_first else {name: webhook[name] for name in _KNOWN if name in webhook}
    return around | {"data": held}


def event_of(webhook: dict[str, Any]) -> str:
    """The event's name. The provider's SDK documents the field as `type`, its servers send `event`."""
    for field in ("event", "type"):
        found = webhook.get(field)
        if type(found) is str:
            return found
    return ""
