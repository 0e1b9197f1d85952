"""Normalize phone numbers to their digits, as keys contain them."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

_SEPARATORS: Final = frozenset("+./\N{MIDDLE DOT}\N{BULLET}\N{MINUS SIGN}\N{FULLWIDTH PLUS SIGN}\t\n\r\v\f")
_CATEGORIES: Final = frozenset({"Zs", "Pd", "Ps", "Pe", "Cf"})
"""Unicode categories of punctuation in a number: spaces, dashes, brackets, and invisible characters. A comma is not
included, because it separates two numbers."""


def phone_digits(text: str) -> str | None:
    """Return the digits of a phone number in any punctuation and script; None for any other text.

    `+1 (555) 000-1111`, `1.555.000.1111` and `+1\N{NO-BREAK SPACE}555\N{NON-BREAKING HYPHEN}0001111` are `15550001111`.
    """
    return text if text.isascii() and text.isdecimal() else _plain(text)


@lru_cache(maxsize=4096)
def _plain(text: str) -> str | None:
    """Normalize a number. The results are cached, because the same few numbers recur."""
    if len(text) > 100:  # nobody writes a number so
        return None
    kept = [each for each in text if not _separates(each)]
    if not kept or not all(map(str.isdecimal, kept)):
        return None
    return "".join(str(unicodedata.decimal(each)) for each in kept)


def _separates(character: str) -> bool:
    return character in _SEPARATORS or unicodedata.category(character) in _CATEGORIES
