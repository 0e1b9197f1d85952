"""Read the envelope of a Cloud webhook: entries, their changes, and the parts that become events.

    {"object": …, "entry": [{"id": WABA, "changes": [{"field": …, "value": {…}}]}]}

A value with `metadata` or `messaging_product` is about a phone number and is a container. Each element of its lists is
a part, with two exceptions: `contacts` belong to the parts, and all `errors` together are one part. Any other value
(templates, limits, restrictions) is one part as a whole.

The code trusts no type: a malformed piece is a part as well, so that it becomes an unknown event and is not lost.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

from pipeline.providers.cloud.contacts import ContactIndex, id_text, index_contacts
from pipeline.providers.shared.size_limits import require_parts

WHOLE: Final = None
"""Replaces a list's name if the part is a change's whole value, or a malformed piece. No list has this name."""
CHANGE: Final = "change"
ENTRY: Final = "entry"
WEBHOOK: Final = "webhook"
"""Names of malformed pieces. The part is the piece itself."""

CONTAINER: Final = frozenset({"messaging_product", "metadata"})
"""Fields that distinguish a container from a value that is one part. They are never parts themselves."""


class WebhookChange(NamedTuple):
    """One change and the fields that its parts have in common.

    Attributes:
        entry: the JSON of the entry that contains the change.
        body: the JSON of the change.
        account: phone_number_id; the WABA id if no number is named; empty without both.
        business_id: the WABA id, or empty.
        contacts: the index of `contacts[]`.
        malformed: `change`, `entry` or `webhook` if that piece is malformed; else empty.
    """

    entry: Any
    body: Any
    field: str
    account: str
    business_id: str
    display_phone_number: str | None
    contacts: ContactIndex
    malformed: str = ""


Part: TypeAlias = tuple[WebhookChange, str | None, Any]
"""A part becomes one event: the change, the list's name (or `WHOLE`), and the element of the list."""


def list_parts(webhook: dict[str, Any]) -> list[Part]:
    """Return every part, in order, and at least one. A webhook without entries or an entry without changes is a part.

    Raises `OversizeRecord` for too many parts.
    """
    entries = webhook.get("entry")
    if type(entries) is not list or not entries:
        return [(_malformed_change(webhook, None, WEBHOOK), WHOLE, webhook)]
    found: list[Part] = []
    for entry in entries:
        _add_entry(found, entry)
        require_parts(len(found))
    return found


def _add_entry(found: list[Part], entry: Any) -> None:
    changes = entry.get("changes") if type(entry) is dict else None
    if type(changes) is not list or not changes:
        found.append((_malformed_change(entry, None, ENTRY), WHOLE, entry))
        return
    for body in changes:
        value = body.get("value") if type(body) is dict else None
        if type(value) is dict:
            _add_value(found, _change(entry, body, value), value)
        else:
            found.append((_malformed_change(entry, body, CHANGE), WHOLE, body))
        require_parts(len(found))


def _add_value(found: list[Part], change: WebhookChange, value: dict[str, Any]) -> None:
    before = len(found)
    if "metadata" in value or "messaging_product" in value:
        for name, items in value.items():
            if type(items) is list and items and name != "contacts" and name not in CONTAINER:
                if name == "errors":
                    found.append((change, name, items))
                else:
                    require_parts(len(found) + len(items))
                    for item in items:
                        found.append((change, name, item))
    if len(found) == before:
        found.append((change, WHOLE, value))


def _change(entry: dict[str, Any], body: dict[str, Any], value: dict[str, Any]) -> WebhookChange:
    business_id, field = id_text(entry.get("id")), id_text(body.get("field"))
    account, display = business_id, None
    metadata = value.get("metadata")
    if type(metadata) is dict:
        account = id_text(metadata.get("phone_number_id")) or business_id
        display = id_text(metadata.get("display_phone_number")) or None
    known = index_contacts(value["contacts"]) if "contacts" in value else {}
    return WebhookChange(entry, body, field, account, business_id, display, known)


def _malformed_change(entry: Any, body: Any, malformed: str) -> WebhookChange:
    business_id = id_text(entry.get("id")) if type(entry) is dict else ""
    field = id_text(body.get("field")) if type(body) is dict else ""
    return WebhookChange(entry, body, field, business_id, business_id, None, {}, malformed)
