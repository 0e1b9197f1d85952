"""Spoiling a well-formed tree: anything anywhere, and the mark left beside it.

The mark is put where the damage is, since what an event's id is made of may be the very piece that was spoilt: two
inputs that differ elsewhere only would have one id, and count once.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

from chaos.fuzz.forms import Tree

BESIDE: Final = "fuzz"
"""The field of the mark."""
Place = tuple[Any, Any]
"""An object or an array, and a key or an index of it."""

_STRINGS: Final = (
    "",
    " ",
    "\x00",
    "\r\nX-Injected: 1",
    "\u202e\u200b\ufeff",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "../../../etc/passwd",
    "${jndi:ldap://127.0.0.1/x}",
    "%s%n{0}{{7*7}}",
    "'; DROP TABLE seen;--",
    "-1",
    "1e999",
    "99999999999999999999",
    "\u0663\u0664",  # digits, but not ASCII
    "a:b:c:",
    "true",
)
_NUMBERS: Final = (0, -1, 2**31, 2**53, 2**63, 2**64 - 1, -(2**63), 0.1, -0.0, 1e308, 5e-324)
NAMES: Final = ("", "__class__", "__proto__", "id", "type", "kind", "event_id", "tenant_id", "raw", "\x00", "entry")


def spoil(tree: Tree, mark: str, rng: Random) -> Tree:
    """`tree` itself, changed in one to four places."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        rng.choice((_replace, _replace, _replace, _remove, _rename, _wrap, _repeat))(
            rng.choice(_places(tree)), mark, rng
        )
    return tree


def odd(mark: str, rng: Random) -> Any:
    """Return a value that nobody expects. Where it may become a part of its own, it has the mark."""
    kinds: tuple[Any, ...] = (
        None,
        True,
        False,
        [],
        rng.choice(_STRINGS),
        rng.choice(_NUMBERS),
    )
    marked = (
        mark,
        int(mark),
        float(mark),
        [mark],
        [[[mark]]],
        {"": {"": {"": mark}}},
        {"id": mark},
        [None, mark],
        {mark: None},
        rng.choice(_STRINGS) + mark,
    )
    return rng.choice((*kinds, *marked))


def own(name: str, value: Any, mark: str) -> Any:
    """Return an id is this input's own: with another one's it would be that one's redelivery, and count for nothing."""
    if name != "id":
        return value
    return value + mark if type(value) is str else int(mark) if type(value) is int else value


def _places(tree: Any) -> list[Place]:
    found: list[Place] = []
    rest = [tree]
    while rest:
        at = rest.pop()
        for key, value in list(at.items() if type(at) is dict else enumerate(at)):
            found.append((at, key))
            if type(value) in (dict, list):
                rest.append(value)
    return found


def _replace(place: Place, mark: str, rng: Random) -> None:
    at, key = place
    if type(at) is dict:
        at[key] = own(key, odd(mark, rng), mark)
        at[BESIDE] = mark
    else:
        at[key] = rng.choice((mark, int(mark), [mark], {BESIDE: mark}, {BESIDE: mark, "odd": odd(mark, rng)}))


def _remove(place: Place, mark: str, rng: Random) -> None:
    at, key = place
    if type(at) is dict:
        del at[key]
        at[BESIDE] = mark
    else:
        _replace(place, mark, rng)


def _rename(place: Place, mark: str, rng: Random) -> None:
    at, key = place
    if type(at) is dict:
        name = rng.choice(NAMES)
        at[name] = own(name, at.pop(key), mark)
        at[BESIDE] = mark
    else:
        _replace(place, mark, rng)


def _wrap(place: Place, mark: str, _: Random) -> None:
    at, key = place
    at[key] = [at[key], mark]
    if type(at) is dict:
        at[BESIDE] = mark


def _repeat(place: Place, mark: str, rng: Random) -> None:
    """An element of an array twice: a message that is in its webhook two times."""
    at, key = place
    if type(at) is list:
        at.append(at[key])
    else:
        _replace(place, mark, rng)
