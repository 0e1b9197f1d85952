"""The endpoints of a gateway, with their required fields."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

TEXT_LIMIT: Final = 4096
"""Maximum characters of a text."""
ACTIONS: Final = frozenset({"read", "typing", "reaction", "edit", "revoke", "pin"})
"""Types that are no messages: they have no id, no statuses and no limit."""


class Endpoint(NamedTuple):
    """One endpoint. `needed`: its required fields."""

    method: str
    path: str
    type: str
    needed: tuple[str, ...] = ()

    @property
    def is_action(self) -> bool:
        return self.type in ACTIONS


def lacking(body: dict[str, Any], needed: tuple[str, ...]) -> list[str]:
    """Return the required fields that are missing or empty. A field may have alternatives: `file[url]|file[data]`."""
    return [names for names in needed if not any(body.get(name) not in (None, "", []) for name in names.split("|"))]
