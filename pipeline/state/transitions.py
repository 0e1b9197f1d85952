"""The results of conditional writes."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from pipeline.state.encoding import EMPTY, Fields


class TableRowTransition(StrEnum):
    """The results of `create_if_absent` and `replace_if`."""

    CREATED = "created"
    REPLACED = "replaced"
    ALREADY_EXISTS = "already_exists"
    CONDITION_NOT_MET = "condition_not_met"
    MISSING = "missing"


class TableTransitionResult(NamedTuple):
    """The result of a conditional write.

    `row` is the existing row that prevented it; None if it was written, or is missing.
    """

    transition: TableRowTransition
    row: dict[str, Any] | None = None

    @property
    def written(self) -> bool:
        """True if this call wrote the row."""
        return self.transition in (TableRowTransition.CREATED, TableRowTransition.REPLACED)


def agrees(row: Fields, expected: Fields) -> bool:
    """Return True if every expected field has its expected value in the row."""
    return all(row.get(name) == value for name, value in expected.items() if name != EMPTY)
