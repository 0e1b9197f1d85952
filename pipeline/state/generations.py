"""Both generations of signatures on one cache: in 0.1 the caller names the key, in 0.31 a cache knows its row.

Each function here takes a call as it was made and gives it as generation 0.1 makes it, key first. Which generation a
call is of shows in its number of arguments and their types:

- `set`, `set_field` and `set_ttl` are names of 0.1 only: they always take a key.
- Elsewhere, what could be read both ways is read by one rule: give `ttl` by name. So
  `append_to_list("cart", "pizza", 60)` appends 60 to the list `pizza` of the row `cart` (0.1), not `pizza` for 60 s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pipeline.state.keys import OWN, row_id

Arguments = tuple[Any, ...]
Named = dict[str, Any]
Call = tuple[Arguments, Named]


def keyed(name: str, args: Arguments, named: Named) -> Call:
    """A call of a cache whose rows have a key in both generations: `name` is what 0.31 calls it."""
    if name in named:
        named = {"key": named.pop(name), **named}
    return args, named


def of_user(method: str, args: Arguments, named: Named) -> Call:
    """A call of a user's cache: in 0.31 it is one row, so the key is missing."""
    old = "key" in named or method in _ALWAYS_KEYED or _USERS_OLD[method](args, named)
    return (args if old else (OWN, *args)), named


def of_table(method: str, args: Arguments, named: Named) -> Call:
    """A call of a table cache: in 0.31 a row is named by two arguments, table and primary key."""
    if "table_name" in named:
        args = (named.pop("table_name"), *args)
    if "pkid" in named:
        args = (args[0], named.pop("pkid"), *args[1:])
    elif "key" in named or method in _ALWAYS_KEYED or not _TABLES_NEW[method](args, named):
        return args, named
    return (row_id(args[0], args[1]), *args[2:]), named


_ALWAYS_KEYED: Final = frozenset({"set", "set_field", "set_ttl"})

Test = Callable[[Arguments, Mapping[str, Any]], bool]


def _given(args: Arguments, named: Mapping[str, Any], *names: str) -> int:
    """How many arguments there are, of those by name the ones that are listed."""
    return len(args) + sum(name in named for name in names)


def _text(args: Arguments, index: int) -> bool:
    return len(args) > index and isinstance(args[index], str)


def _key(args: Arguments) -> bool:
    """None too: a key that is missing by mistake must not become the user's own row."""
    return bool(args) and (args[0] is None or isinstance(args[0], str))


def _seconds(args: Arguments, index: int) -> bool:
    return len(args) > index and type(args[index]) is int


def _user_appends(args: Arguments, named: Mapping[str, Any]) -> bool:
    given = _given(args, named, "field", "value")
    if given != 3 or len(args) < 3 or "ttl" in named:
        return given > 2
    return isinstance(args[1], str)


def _table_appends(args: Arguments, named: Mapping[str, Any]) -> bool:
    given = _given(args, named, "field", "value")
    return given > 4 or (given == 4 and (len(args) < 4 or "ttl" in named or isinstance(args[2], str)))


_USERS_OLD: Final[dict[str, Test]] = {
    "get": lambda args, _: _key(args),
    "upsert": lambda args, _: _key(args),
    "delete": lambda args, _: bool(args),
    "exists": lambda args, _: bool(args),
    "get_ttl": lambda args, _: bool(args),
    "get_field": lambda args, named: _given(args, named, "field") > 1,
    "delete_field": lambda args, named: _given(args, named, "field") > 1,
    "update_field": lambda args, named: _given(args, named, "field", "value") > 2 and not _seconds(args, 2),
    "increment_field": lambda args, named: _text(args, 1) or bool(args and "field" in named),
    "append_to_list": _user_appends,
    "renew_ttl": lambda args, named: _given(args, named, "ttl") > 1,
}
_TABLES_NEW: Final[dict[str, Test]] = {
    "get": lambda args, _: _text(args, 1),
    "upsert": lambda args, _: _text(args, 1),
    "delete": lambda args, _: len(args) > 1,
    "exists": lambda args, _: len(args) > 1,
    "get_ttl": lambda args, _: len(args) > 1,
    "get_field": lambda args, named: _given(args, named, "field") > 2,
    "delete_field": lambda args, named: _given(args, named, "field") > 2,
    "update_field": lambda args, named: _given(args, named, "field", "value") > 3,
    "increment_field": lambda args, named: _text(args, 2) or (len(args) > 1 and "field" in named),
    "append_to_list": _table_appends,
    "renew_ttl": lambda args, named: _given(args, named, "ttl") > 2,
}
