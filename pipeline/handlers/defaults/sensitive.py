"""Finds personal data in a text: phone numbers, e-mail addresses, card numbers. It guesses."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"

_DIGITS: Final = re.compile(r"\+?\(?\d(?:[ ().-]{0,2}\d){7,18}")
"""Eight digits or more, as phone and card numbers are written."""

_ADDRESS: Final = re.compile(r"[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")


def is_sensitive(text: str) -> bool:
    """Return True if the text seems to contain personal data."""
    return ("@" in text and _ADDRESS.search(text) is not None) or _DIGITS.search(text) is not None


def masked(text: str) -> str:
    """Return the text with `***` in place of what seems to be personal data."""
    return _DIGITS.sub(MASK, _ADDRESS.sub(MASK, text) if "@" in text else text)
