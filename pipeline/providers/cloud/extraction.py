"""Extract some parts of a webhook into a webhook of the same form: a slice, or the raw form of an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from pipeline.providers.cloud.contacts import find_contact, person_ids
from pipeline.providers.cloud.envelope import CONTAINER, ENTRY, WHOLE, Part
from pipeline.topics.types import Json

_WEBHOOK: Final = ("object",)
_ENTRY: Final = ("id", "time")
_CHANGE: Final = ("field",)
_VALUE: Final = tuple(CONTAINER)
_METADATA: Final = ("display_phone_number", "phone_number_id")
"""Known fields of the envelope. They belong to every part."""


class PartExtractor:
    """Extracts parts of a webhook.

    Every extracted webhook contains the known fields of the envelope. Unknown fields are only in the webhook with the
    first part that they surround, so that they are not lost and a large one is not multiplied.
    """

    def __init__(self, webhook: Json, found: Sequence[Part]) -> None:
        self._webhook = webhook
        self._first = found[0]
        self._of_entry = {_entry_id(part): part for part in reversed(found)}
        self._of_change = {id(part[0]): part for part in reversed(found)}
        self._known: dict[int, Json] = {}
        """Known fields for all parts but the first, by the identity of the object that they come from."""

    def extract_parts(self, members: Sequence[Part]) -> Json:
        """Return a webhook with these parts, in the order of `list_parts`, and with the contacts that they name."""
        entries = [self._entry(found) for found in _grouped(members, _entry_id)]
        return self._envelope_fields(self._webhook, _WEBHOOK, members[0] is self._first) | {"entry": entries}

    def _entry(self, members: Sequence[Part]) -> Any:
        change, _, item = members[0]
        if change.malformed == ENTRY:
            return item
        changes = [self._change(found) for found in _grouped(members, _change_id)]
        first = self._of_entry[_entry_id(members[0])]
        return self._envelope_fields(change.entry, _ENTRY, members[0] is first) | {"changes": changes}

    def _change(self, members: Sequence[Part]) -> Any:
        change, name, _ = members[0]
        if name is WHOLE:
            return change.body
        is_first = members[0] is self._of_change[id(change)]
        return self._envelope_fields(change.body, _CHANGE, is_first) | {"value": self._value(members, is_first)}

    def _value(self, members: Sequence[Part], is_first: bool) -> Json:
        value, lists = members[0][0].body["value"], _lists(members)
        contacts = _contacts(value, members)
        if contacts:
            lists["contacts"] = contacts
        if not is_first:
            return self._envelope_fields(value, _VALUE, False) | lists
        kept = {name: item for name, item in value.items() if type(item) is not list or name in CONTAINER}
        return kept | lists

    def _envelope_fields(self, whole: Json, names: Sequence[str], is_first: bool) -> Json:
        if is_first:
            return whole
        known = self._known.get(id(whole))
        if known is None:
            known = self._known[id(whole)] = {name: whole[name] for name in names if name in whole}
            if "metadata" in known:
                known["metadata"] = _trimmed(known["metadata"])
        return known


def _trimmed(metadata: Any) -> Json:
    return {name: metadata[name] for name in _METADATA if name in metadata} if type(metadata) is dict else {}


def _grouped(members: Sequence[Part], key: Callable[[Part], int]) -> Iterator[Sequence[Part]]:
    if len(members) == 1:  # each event of a batch
        return iter((members,))
    return (list(found) for _, found in groupby(members, key))


def _change_id(part: Part) -> int:
    return id(part[0])


def _entry_id(part: Part) -> int:
    """Return an identity of the entry. Entries of null are one object, so the change identifies what is no object."""
    change = part[0]
    return id(change.entry if type(change.entry) is dict else change)


def _lists(members: Sequence[Part]) -> Json:
    lists: Json = {}
    for _, name, item in members:
        if name == "errors":
            lists[name] = item
        else:
            lists.setdefault(str(name), []).append(item)
    return lists


def _contacts(value: Json, members: Sequence[Part]) -> list[Any]:
    """Return the contacts of the members, each once, in their original order."""
    found = {id(person): person for part in members if (person := _contact(part)) is not None}
    if len(found) < 2:
        return list(found.values())
    return [contact for contact in value["contacts"] if id(contact) in found]


def _contact(part: Part) -> dict[str, Any] | None:
    change, name, item = part
    named = person_ids(name, item) if type(item) is dict else None
    return find_contact(named, change.contacts) if named is not None else None
