"""Validating JSON of which one leaf may be odd: the leaf is left out, and what is known is kept.

A provider sends null for a list, a number for an id, a string where its documents show an object. The model of the
whole would refuse all of it for one of these. What can't be left out without the object being another one (an id that
is required) takes the smallest object around it along.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.topics.types import Json

T = TypeVar("T")
Path: TypeAlias = tuple[int | str, ...]
Target = Callable[[Path, Json], Path]
"""From the place of an odd value, in this object, to what has to be left out for it."""

MAX_ERRORS: Final = 1_000
"""Odd leaves in one object; with more of them it is no such object. It bounds time and memory."""
_ROUNDS: Final = 10
"""Times that an object is looked at again: each may take the object around what was left out before."""


class Fitted(NamedTuple):
    """What was kept.

    Attributes:
        data: a copy without the odd leaves; what is untouched in it is shared with the original.
        ignored: where they were, as `errors.0.title`; in order of appearance in the model.
    """

    data: Json
    ignored: list[str]


def fit(
    data: Json,
    validate: Callable[[Json], object],
    *,
    locate: Callable[[Path], Path] = lambda loc: loc,
    target: Target = lambda path, _: path,
) -> Fitted | None:
    """`data` without what `validate` refuses; None if nothing that validates is left of it.

    Args:
        validate: raises pydantic's `ValidationError`.
        locate: from the place that pydantic names to the place in `data`: unions add tags of theirs.
    """
    trimmed = _Trimmed(data)
    for _ in range(_ROUNDS):
        try:
            validate(trimmed.root)
        except ValidationError as error:
            if error.error_count() > MAX_ERRORS or not _trim(trimmed, error, locate, target):
                return None
        else:
            return Fitted(trimmed.root, trimmed.ignored())
    return None


def model_of(model: Callable[[Json], T], data: Json) -> T | None:
    """The model of `data`, without odd leaves; None if it is no such thing at all."""
    try:
        return model(data)
    except ValidationError:
        fitted = fit(data, model)
        return None if fitted is None else model(fitted.data)


def _trim(trimmed: _Trimmed, error: ValidationError, locate: Callable[[Path], Path], target: Target) -> bool:
    """Leaves out what the errors name. False, if one of them can't be left out."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    places = {trimmed.existing(locate(each["loc"]), missing=each["type"] == "missing"): each for each in found}
    # From behind, so that the indices of a list stay what they are until they had their turn.
    return all(_leave_out(trimmed, path, each, target) for path, each in sorted(places.items(), key=_order)[::-1])


def _order(item: tuple[Path, ErrorDetails]) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in item[0]]


def _leave_out(trimmed: _Trimmed, path: Path, error: ErrorDetails, target: Target) -> bool:
    if error["type"] == "string_type" and type(number := trimmed.get(path)) is int:
        trimmed.replace(path, str(number))
        return True
    return trimmed.remove(target(path, trimmed.root), noted=error["type"] != "union_tag_invalid")


class _Trimmed:
    """A tree of which parts are left out; what they were taken from is copied before, once."""

    def __init__(self, root: Json) -> None:
        self.root = dict(root)
        self._noted: list[Path] = []
        self._copies: dict[int, Any] = {id(self.root): None}
        """Ours, by identity: the indices that a list's elements had in the original; None for an object."""

    def ignored(self) -> list[str]:
        """The outermost of what was left out."""
        kept = [path for path in self._noted if not any(path[:n] in self._noted for n in range(1, len(path)))]
        return [".".join(map(str, path)) for path in dict.fromkeys(kept[::-1])]

    def existing(self, loc: Path, *, missing: bool) -> Path:
        """The part of a place that is there; the object around it where a field is missing."""
        at: Any = self.root
        for depth, part in enumerate(loc[:-1] if missing else loc):
            if not _holds(at, part):
                return loc[:depth]
            at = at[part]
        return loc[:-1] if missing else loc

    def get(self, path: Path) -> Any:
        at: Any = self.root
        for part in path:
            at = at[part] if _holds(at, part) else None
        return at

    def replace(self, path: Path, value: Any) -> None:
        self._own(path[:-1])[path[-1]] = value

    def remove(self, path: Path, *, noted: bool) -> bool:
        """False for the whole. What is gone already, with something around it, is no failure."""
        if not path:
            return False
        if not _holds(self.get(path[:-1]), path[-1]):
            return True
        if noted:
            self._noted.append(self._original(path))
        parent = self._own(path[:-1])
        del parent[path[-1]]
        if type(parent) is list:
            del self._copies[id(parent)][path[-1]]
        return True

    def _own(self, path: Path) -> Any:
        """What is at `path`, copied with all that is around it."""
        at: Any = self.root
        for part in path:
            inner = at[part]
            if id(inner) not in self._copies:
                inner = at[part] = inner.copy()
                self._copies[id(inner)] = list(range(len(inner))) if type(inner) is list else None
            at = inner
        return at

    def _original(self, path: Path) -> Path:
        """With the indices that the original has."""
        at: Any = self.root
        found: list[int | str] = []
        for part in path:
            indices = self._copies.get(id(at))
            found.append(part if indices is None else indices[part])
            at = at[part]
        return tuple(found)


def _holds(value: Any, part: int | str) -> bool:
    if type(value) is list:
        return type(part) is int and part < len(value)
    return type(value) is dict and part in value
