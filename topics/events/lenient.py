"""Lenient validation: an odd leaf of a JSON object is left out, and what is known is kept.

A provider sends null for a list, a number for an id, a string where its documents show an object. The model of the
whole would reject all of it for one of these. A leaf that is required can't be left out alone: the smallest object
around it is left out too.
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
"""Returns the path to leave out for the path of an odd value, in this object."""

MAX_ERRORS: Final = 1_000
"""Maximum number of odd leaves of an object; it bounds time and memory."""
_ROUNDS: Final = 10
"""Maximum number of validations of an object: each may leave out the object around an earlier leaf."""


class Fitted(NamedTuple):
    """The part of an object that validates.

    Attributes:
        data: a copy without the odd leaves; what is unchanged in it is shared with the original.
        ignored: the paths of the odd leaves, as `errors.0.title`; in order of appearance in the model.
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
    """Return `data` without the leaves that `validate` rejects; None if nothing that validates is left.

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
    """Return the model of `data`, without odd leaves; None if it can't be that model at all."""
    try:
        return model(data)
    except ValidationError:
        fitted = fit(data, model)
        return None if fitted is None else model(fitted.data)


def _trim(trimmed: _Trimmed, error: ValidationError, locate: Callable[[Path], Path], target: Target) -> bool:
    """Leave out the leaves that the errors name. Return False if one of them can't be left out."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    places = {trimmed.existing(locate(each["loc"]), missing=each["type"] == "missing"): each for each in found}
    # Backwards, so that the indices of a list stay valid.
    return all(_leave_out(trimmed, path, each, target) for path, each in sorted(places.items(), key=_order)[::-1])


def _order(item: tuple[Path, ErrorDetails]) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in item[0]]


def _leave_out(trimmed: _Trimmed, path: Path, error: ErrorDetails, target: Target) -> bool:
    if error["type"] == "string_type" and type(number := trimmed.get(path)) is int:
        trimmed.replace(path, str(number))
        return True
    return trimmed.remove(target(path, trimmed.root), noted=error["type"] != "union_tag_invalid")


class _Trimmed:
    """A tree without some of its leaves. The containers that they were removed from are copied first, once."""

    def __init__(self, root: Json) -> None:
        self.root = dict(root)
        self._noted: list[Path] = []
        self._copies: dict[int, Any] = {id(self.root): None}
        """Our copies, by identity: the original indices of a list's elements; None for an object."""

    def ignored(self) -> list[str]:
        """Return the outermost paths that were left out."""
        kept = [path for path in self._noted if not any(path[:n] in self._noted for n in range(1, len(path)))]
        return [".".join(map(str, path)) for path in dict.fromkeys(kept[::-1])]

    def existing(self, loc: Path, *, missing: bool) -> Path:
        """Return the part of a path that exists; the object around it if a field is missing."""
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
        """Remove the value at a path.

        Return False for the whole tree. A value that is already removed is no failure.
        """
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
        """Return the container at `path`, after copying it and all that is around it."""
        at: Any = self.root
        for part in path:
            inner = at[part]
            if id(inner) not in self._copies:
                inner = at[part] = inner.copy()
                self._copies[id(inner)] = list(range(len(inner))) if type(inner) is list else None
            at = inner
        return at

    def _original(self, path: Path) -> Path:
        """Return the path with the indices that the original has."""
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
