"""What a gateway can be asked for: where, and what has to be given."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

TEXT_LIMIT: Final = 4096
"""Characters of a text."""
ACTIONS: Final = frozenset({"read", "typing", "reaction", "edit", "revoke", "pin"})
"""What makes no message: no id, no statuses, no limit."""


class Endpoint(NamedTuple):
    """One endpoint. `needed`: the fields without which it refuses."""

    method: str
    path: str
    type: str
    needed: tuple[str, ...] = ()

    @property
    def is_action(self) -> bool:
        return self.type in ACTIONS


def lacking(body: dict[str, Any], needed: tuple[str, ...]) -> list[str]:
    """The needed fields that are missing or empty. A field may have alternatives: `file[url]|file[data]`."""
    return [names for names in needed if not any(body.get(name) not in (None, "", []) for name in names.split("|"))]
