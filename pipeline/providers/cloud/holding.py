"""A webhook that holds some parts of another one: what a slice is, and the raw form of an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final, TypeAlias

from pipeline.providers.cloud.envelope import CONTAINER, ENTRY, WHOLE, Part
from pipeline.providers.cloud.people import find, ids

Json: TypeAlias = dict[str, Any]

_WEBHOOK: Final = ("object",)
_ENTRY: Final = ("id", "time")
_CHANGE: Final = ("field",)
_VALUE: Final = tuple(CONTAINER)
_METADATA: Final = ("display_phone_number", "phone_number_id")
"""What surrounds the parts and belongs to each of them."""


class Envelopes:
    """The parts of a webhook, each in a webhook of the same form.

    What is known of the envelope is around each of them. Any other field of it is there once, with the first part
    that it surrounds: it is not lost, and a large one is not multiplied.
    """

    def __init__(self, webhook: Json, found: Sequence[Part]) -> None:
        self._webhook = webhook
        self._first = found[0]
        self._of_entry = {_place(part): part for part in reversed(found)}
        self._of_change = {id(part[0]): part for part in reversed(found)}
        self._known: dict[int, Json] = {}
        """What is known around others than the first part, by the identity of the whole that it is from."""

    def holding(self, members: Sequence[Part]) -> Json:
        """A webhook with these parts, in the order of `parts`, and no others; of the contacts those that they name."""
        entries = [self._entry(found) for found in _grouped(members, _place)]
        return self._around(self._webhook, _WEBHOOK, members[0] is self._first) | {"entry": entries}

    def _entry(self, members: Sequence[Part]) -> Any:
        change, _, item = members[0]
        if change.malformed == ENTRY:
            return item
        changes = [self._change(found) for found in _grouped(members, _change_of)]
        first = self._of_entry[_place(members[0])]
        return self._around(change.entry, _ENTRY, members[0] is first) | {"changes": changes}

    def _change(self, members: Sequence[Part]) -> Any:
        change, name, _ = members[0]
        if name is WHOLE:
            return change.body
        is_first = members[0] is self._of_change[id(change)]
        return self._around(change.body, _CHANGE, is_first) | {"value": self._value(members, is_first)}

    def _value(self, members: Sequence[Part], is_first: bool) -> Json:
        value, lists = members[0][0].body["value"], _lists(members)
        contacts = _contacts(value, members)
        if contacts:
            lists["contacts"] = contacts
        if not is_first:
            return self._around(value, _VALUE, False) | lists
        kept = {name: item for name, item in value.items() if type(item) is not list or name in CONTAINER}
        return kept | lists

    def _around(self, whole: Json, names: Sequence[str], is_first: bool) -> Json:
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


def _change_of(part: Part) -> int:
    return id(part[0])


def _place(part: Part) -> int:
    """Tells entries apart. Two that are null are one object, so what is no object is told apart by its change."""
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
    """Those of the members, each once, in the order they were in."""
    found = {id(person): person for part in members if (person := _person(part)) is not None}
    if len(found) < 2:
        return list(found.values())
    return [contact for contact in value["contacts"] if id(contact) in found]


def _person(part: Part) -> dict[str, Any] | None:
    change, name, item = part
    named = ids(name, item) if type(item) is dict else None
    return find(named, change.people) if named is not None else None
