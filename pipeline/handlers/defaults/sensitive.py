"""Personal data in a text: phone numbers, e-mail addresses, card numbers. Good guesses, no more."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"

_DIGITS: Final = r"\+?\(?\d(?:[ ().-]{0,2}\d){7,18}"
"""Eight digits or more, as phone and card numbers are written."""

_ADDRESS: Final = r"[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"

_PATTERN: Final = re.compile(f"{_ADDRESS}|{_DIGITS}")


def is_sensitive(text: str) -> bool:
    return _PATTERN.search(text) is not None


def masked(text: str) -> str:
    return _PATTERN.sub(MASK, text)
