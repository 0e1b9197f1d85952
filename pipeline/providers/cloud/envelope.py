"""The envelope of a Cloud webhook: entries, their changes, and the parts that become events.

    {"object": …, "entry": [{"id": WABA, "changes": [{"field": …, "value": {…}}]}]}

A value that speaks of a phone number (it has `metadata` or `messaging_product`) is a container: each element of its
lists is a part, save `contacts`, which belong to the parts, and `errors`, which are one part together. Any other
value (templates, limits, restrictions) is one part as it is. Nothing here trusts a type: what is not built as
promised is a part as well, so that it arrives as an unknown event instead of being lost.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

from pipeline.providers.cloud.people import People, people, text
from pipeline.providers.limits import require_parts

WHOLE: Final = None
"""In the place of a list's name: the part is a change's whole value, or a malformed piece. No list is called so."""
CHANGE: Final = "change"
ENTRY: Final = "entry"
WEBHOOK: Final = "webhook"
"""What is not built as it should be; the part is that piece itself."""

CONTAINER: Final = frozenset({"messaging_product", "metadata"})
"""What tells a container from a value that is one part. Never parts themselves, whatever they hold."""


class Change(NamedTuple):
    """One change and what its parts have in common.

    Attributes:
        entry: the JSON of the entry that it is in.
        body: the JSON of the change.
        account: phone_number_id, or the WABA id where no number is named; empty where neither is.
        business_id: the WABA id, or empty.
        people: `contacts[]`.
        malformed: `change`, `entry` or `webhook` where that piece is no such thing; else empty.
    """

    entry: Any
    body: Any
    field: str
    account: str
    business_id: str
    display_phone_number: str | None
    people: People
    malformed: str = ""


Part: TypeAlias = tuple[Change, str | None, Any]
"""What becomes one event: an element of a list in the value of a change, with the list's name (`WHOLE`) before it."""


def parts(webhook: dict[str, Any]) -> list[Part]:
    """Every part, in order; one at least. A webhook without entries, or an entry without changes, is a part itself.

    Raises `OversizeRecord` when there are too many.
    """
    entries = webhook.get("entry")
    if type(entries) is not list or not entries:
        return [(_bare(webhook, None, WEBHOOK), WHOLE, webhook)]
    found: list[Part] = []
    for entry in entries:
        _add_entry(found, entry)
        require_parts(len(found))
    return found


def _add_entry(found: list[Part], entry: Any) -> None:
    changes = entry.get("changes") if type(entry) is dict else None
    if type(changes) is not list or not changes:
        found.append((_bare(entry, None, ENTRY), WHOLE, entry))
        return
    for body in changes:
        value = body.get("value") if type(body) is dict else None
        if type(value) is dict:
            _add_value(found, _change(entry, body, value), value)
        else:
            found.append((_bare(entry, body, CHANGE), WHOLE, body))
        require_parts(len(found))


def _add_value(found: list[Part], change: Change, value: dict[str, Any]) -> None:
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


def _change(entry: dict[str, Any], body: dict[str, Any], value: dict[str, Any]) -> Change:
    business_id, field = text(entry.get("id")), text(body.get("field"))
    account, display = business_id, None
    metadata = value.get("metadata")
    if type(metadata) is dict:
        account = text(metadata.get("phone_number_id")) or business_id
        display = text(metadata.get("display_phone_number")) or None
    known = people(value["contacts"]) if "contacts" in value else {}
    return Change(entry, body, field, account, business_id, display, known)


def _bare(entry: Any, body: Any, malformed: str) -> Change:
    business_id = text(entry.get("id")) if type(entry) is dict else ""
    field = text(body.get("field")) if type(body) is dict else ""
    return Change(entry, body, field, business_id, business_id, None, {}, malformed)
