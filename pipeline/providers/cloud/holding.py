"""A webhook that holds some parts of another one: what a slice is, and the raw form of an event."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from pipeline.providers.cloud.envelope import CONTAINER, ENTRY, WHOLE, Part
from pipeline.providers.cloud.people import find, ids


def holding(webhook: dict[str, Any], members: Iterable[Part]) -> dict[str, Any]:
    """A webhook of the same form with these parts of `webhook`, in the order of `parts`, and no others.

    What surrounds the parts comes along; of the contacts those that the parts name.
    """
    entries = [_entry(list(found)) for _, found in groupby(members, _place)]
    return webhook | {"entry": entries}


def _place(part: Part) -> int:
    """Tells entries apart. Two that are null are one object, so what is no object is told apart by its change."""
    change = part[0]
    return id(change.entry if type(change.entry) is dict else change)


def _entry(members: list[Part]) -> Any:
    change, _, item = members[0]
    if change.malformed == ENTRY:
        return item
    changes = [_change(list(found)) for _, found in groupby(members, lambda part: id(part[0]))]
    return change.entry | {"changes": changes}


def _change(members: list[Part]) -> Any:
    change, name, _ = members[0]
    if name is WHOLE:
        return change.body
    return change.body | {"value": _value(change.body["value"], members)}


def _value(value: dict[str, Any], members: list[Part]) -> dict[str, Any]:
    lists = _lists(members)
    contacts = _contacts(value, members)
    if contacts:
        lists["contacts"] = contacts
    kept = {name: item for name, item in value.items() if type(item) is not list or name in CONTAINER or name in lists}
    return kept | lists


def _lists(members: list[Part]) -> dict[str, Any]:
    lists: dict[str, Any] = {}
    for _, name, item in members:
        if name == "errors":
            lists[name] = item
        else:
            lists.setdefault(str(name), []).append(item)
    return lists


def _contacts(value: dict[str, Any], members: list[Part]) -> list[Any]:
    """Those of the members, each once, in the order they were in."""
    found = {id(person): person for part in members if (person := _person(part)) is not None}
    if len(found) < 2:
        return list(found.values())
    return [contact for contact in value["contacts"] if id(contact) in found]


def _person(part: Part) -> dict[str, Any] | None:
    change, name, item = part
    named = ids(name, item) if type(item) is dict else None
    return find(named, change.people) if named is not None else None
