"""Both styles of calling a cache, on one implementation.

In Wappa 0.1 the caller names the key (`cache.get("cart")`). In 0.31 a cache knows its row (`cache.get()`) or takes the
key's parts (`table.get("orders", "17")`). `AnyCallStyle` rewrites each call to the 0.1 style, key first, and calls
`Cache`. The style is recognised by the number and the types of the arguments:

- `set`, `set_field` and `set_ttl` are 0.1 names: they always take a key.
- Other calls that fit both styles are read by one rule: pass `ttl` by name. So `append_to_list("cart", "pizza", 60)`
  appends 60 to the list `pizza` of the row `cart` (0.1); it does not append `pizza` for 60 seconds.

The overloads that users see are in `pipeline.state.caches`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from pipeline.state.cache import Cache
from pipeline.state.keys import OWN, row_id
from pipeline.state.scope import CacheBinding

Arguments = tuple[Any, ...]
Named = dict[str, Any]
Call = tuple[Arguments, Named]

_BY_KEY: Final[Mapping[str, Callable[..., Awaitable[Any]]]] = {
    "get": Cache.get,
    "set": Cache.set,
    "upsert": Cache.set,
    "delete": Cache.delete,
    "exists": Cache.exists,
    "get_field": Cache.get_field,
    "set_field": Cache.set_field,
    "update_field": Cache.set_field,
    "delete_field": Cache.delete_field,
    "increment_field": Cache.increment_field,
    "append_to_list": Cache.append_to_list,
    "merge": Cache.merge,
    "get_ttl": Cache.get_ttl,
    "set_ttl": Cache.set_ttl,
    "renew_ttl": Cache.set_ttl,
}
"""The implementation of each method, which takes the key first."""


class AnyCallStyle(Cache):
    """A cache whose methods accept both styles of call: its subclasses declare the overloads, `_call` runs them."""

    def __init__(self, binding: CacheBinding) -> None:
        self._binding = binding

    @abstractmethod
    def _normalize(self, method: str, args: Arguments, named: Named) -> Call:
        """Return the arguments of a call in the 0.1 style, key first."""

    async def _call(self, method: str, args: Arguments, named: Named) -> Any:
        args, named = self._normalize(method, args, named)
        return await _BY_KEY[method](self, *args, **named)


def normalize_keyed_call(name: str, args: Arguments, named: Named) -> Call:
    """Normalize a call of a cache whose rows have a key in both styles: `name` is the key's name in 0.31."""
    if name in named:
        named = {"key": named.pop(name), **named}
    return args, named


def normalize_user_call(method: str, args: Arguments, named: Named) -> Call:
    """Normalize a call of a user's cache: in 0.31 it is one row, so the key is missing."""
    by_key = "key" in named or method in _ALWAYS_KEYED or _USER_CALL_HAS_KEY[method](args, named)
    return (args if by_key else (OWN, *args)), named


def normalize_table_call(method: str, args: Arguments, named: Named) -> Call:
    """Normalize a call of a table cache: in 0.31 two arguments name a row, the table and the primary key."""
    if "table_name" in named:
        args = (named.pop("table_name"), *args)
    if "pkid" in named:
        args = (args[0], named.pop("pkid"), *args[1:])
    elif "key" in named or method in _ALWAYS_KEYED or not _TABLE_CALL_HAS_PKID[method](args, named):
        return args, named
    return (row_id(args[0], args[1]), *args[2:]), named


_ALWAYS_KEYED: Final = frozenset({"set", "set_field", "set_ttl"})

Predicate = Callable[[Arguments, Mapping[str, Any]], bool]


def _count(args: Arguments, named: Mapping[str, Any], *names: str) -> int:
    """Count the positional arguments and those of `names` that were passed by name."""
    return len(args) + sum(name in named for name in names)


def _text(args: Arguments, index: int) -> bool:
    return len(args) > index and isinstance(args[index], str)


def _key(args: Arguments) -> bool:
    """Return True for None too: a key that is missing by mistake must not become the user's own row."""
    return bool(args) and (args[0] is None or isinstance(args[0], str))


def _seconds(args: Arguments, index: int) -> bool:
    return len(args) > index and type(args[index]) is int


def _user_appends(args: Arguments, named: Mapping[str, Any]) -> bool:
    count = _count(args, named, "field", "value")
    if count != 3 or len(args) < 3 or "ttl" in named:
        return count > 2
    return isinstance(args[1], str)


def _table_appends(args: Arguments, named: Mapping[str, Any]) -> bool:
    count = _count(args, named, "field", "value")
    return count > 4 or (count == 4 and (len(args) < 4 or "ttl" in named or isinstance(args[2], str)))


_USER_CALL_HAS_KEY: Final[dict[str, Predicate]] = {
    "get": lambda args, _: _key(args),
    "upsert": lambda args, _: _key(args),
    "delete": lambda args, _: bool(args),
    "exists": lambda args, _: bool(args),
    "get_ttl": lambda args, _: bool(args),
    "get_field": lambda args, named: _count(args, named, "field") > 1,
    "delete_field": lambda args, named: _count(args, named, "field") > 1,
    "update_field": lambda args, named: _count(args, named, "field", "value") > 2 and not _seconds(args, 2),
    "increment_field": lambda args, named: _text(args, 1) or bool(args and "field" in named),
    "append_to_list": _user_appends,
    "renew_ttl": lambda args, named: _count(args, named, "ttl") > 1,
}
_TABLE_CALL_HAS_PKID: Final[dict[str, Predicate]] = {
    "get": lambda args, _: _text(args, 1),
    "upsert": lambda args, _: _text(args, 1),
    "delete": lambda args, _: len(args) > 1,
    "exists": lambda args, _: len(args) > 1,
    "get_ttl": lambda args, _: len(args) > 1,
    "get_field": lambda args, named: _count(args, named, "field") > 2,
    "delete_field": lambda args, named: _count(args, named, "field") > 2,
    "update_field": lambda args, named: _count(args, named, "field", "value") > 3,
    "increment_field": lambda args, named: _text(args, 2) or (len(args) > 1 and "field" in named),
    "append_to_list": _table_appends,
    "renew_ttl": lambda args, named: _count(args, named, "ttl") > 2,
}
