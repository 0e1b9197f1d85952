"""The rows about people: when each last wrote, and whether that person wants marketing.

Its rows come from intake, once a batch and account (`pipeline.topics.inbound`), and stay: an opt-out has no end. A
person with a business-scoped id and a phone number has a row for each, and each row names the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from pipeline.topics.receipts import Inbound

RESOLUTION: Final = 60
"""Seconds by which a person's last message may be later than its row says. So a chat costs one row a minute."""


class ContactTable(Protocol):
    """The table of contacts: rows by account key and contact."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None: ...


class Contact(msgspec.Struct, array_like=True, frozen=True):
    """The row of a person at an account. Times are unix seconds; 0 is unknown.

    Attributes:
        last: the last message.
        entry: the last message that came by an ad.
        declined: True if the person's last word was to stop marketing.
        since: when that was said.
        same: another name of this person; empty if none is known.
    """

    last: int = 0
    entry: int = 0
    declined: bool = False
    since: int = 0
    same: str = ""


_NOBODY: Final = Contact()
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Contact).decode


def contact_key(account: str, name: str) -> str:
    return f"{account}:{name}"


def find_contact(account: str, name: str, table: ContactTable) -> Contact:
    """Return what is known of a person, by any of two names."""
    found = _row(contact_key(account, name), table)
    if not found.same:
        return found
    other = _row(contact_key(account, found.same), table)
    later = other if other.since > found.since else found
    return Contact(max(found.last, other.last), max(found.entry, other.entry), later.declined, later.since, found.same)


def note_inbound(account: str, inbound: Inbound, table: ContactTable) -> None:
    """Write what people did into their rows. Noting it again, or late, changes nothing."""
    names = dict.fromkeys((*inbound.last, *inbound.entry, *inbound.wishes, *inbound.same, *inbound.same.values()))
    aliases = dict(_both_ways(inbound.same))
    for name in names:
        key = contact_key(account, name)
        before = _row(key, table)
        after = _noted(name, inbound, before, aliases.get(name, before.same))
        if after != before:
            table.put(key, _encode(after))


def _noted(name: str, inbound: Inbound, row: Contact, same: str) -> Contact:
    last, entry = inbound.last.get(name, 0), inbound.entry.get(name, 0)
    declined, since = row.declined, row.since
    if (wish := inbound.wishes.get(name)) and wish[1] >= since:
        declined, since = not wish[0], wish[1]
    return Contact(last if last - row.last >= RESOLUTION else row.last, max(entry, row.entry), declined, since, same)


def _both_ways(same: dict[str, str]) -> Iterator[tuple[str, str]]:
    for one, other in same.items():
        yield one, other
        yield other, one


def _row(key: str, table: ContactTable) -> Contact:
    row = table.get(key)
    return _NOBODY if row is None else _decode(row)
