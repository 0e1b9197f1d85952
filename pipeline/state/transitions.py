"""What became of a row that was to change under a condition."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from pipeline.state.encoding import EMPTY, Fields


class TableRowTransition(StrEnum):
    CREATED = "created"
    REPLACED = "replaced"
    ALREADY_EXISTS = "already_exists"
    CONDITION_NOT_MET = "condition_not_met"
    MISSING = "missing"


class TableTransitionResult(NamedTuple):
    """`row` is the row that stood in the way; None where this call wrote it, and where there is none."""

    transition: TableRowTransition
    row: dict[str, Any] | None = None

    @property
    def written(self) -> bool:
        """Whether this call wrote the row."""
        return self.transition in (TableRowTransition.CREATED, TableRowTransition.REPLACED)


def agrees(row: Fields, expected: Fields) -> bool:
    """Whether every expected field is in the row as it is expected."""
    return all(row.get(name) == value for name, value in expected.items() if name != EMPTY)
