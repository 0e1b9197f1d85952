"""The sends that fail before the provider is called, as a tenant sets them (docs/tenants.md)."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass

MAX_WORD: Final = 64
"""Characters of an opt-out word, at most: longer messages say more than that."""
_SPACE: Final = re.compile(r"\s+")


class RefusalReason(StrEnum):
    """Why a command was refused before the call."""

    OUTSIDE_SERVICE_WINDOW = "outside_service_window"
    """A free-form message to a person who has not written for 24 hours."""
    OPTED_OUT = "opted_out"
    """Marketing to a person who declined it."""


def plain_word(text: str) -> str:
    """Return a text without differences of case, space and final dots, in which opt-out words are compared."""
    return _SPACE.sub(" ", text.strip()).casefold().rstrip(".!")


def _word(value: str) -> str:
    if not 1 <= len(found := plain_word(value)) <= MAX_WORD:
        raise ValueError(f"a word or phrase has 1 to {MAX_WORD} characters")
    return found


Word = Annotated[str, AfterValidator(_word)]


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid", coerce_numbers_to_str=True))
class SendRefusals:
    """What a tenant lets fail before the provider is called, and the words by which people decline marketing.

    Attributes:
        outside_window: free-form messages to people who have not written within the provider's service window. Nobody
            is refused whose last message is not known, and no account of a provider without a window.
        opted_out: marketing to people who declined it.
        opt_out_words: messages that decline, e.g. `stop`: the whole message, in any case.
        opt_in_words: messages that accept it again, e.g. `start`.
    """

    outside_window: bool = True
    opted_out: bool = True
    opt_out_words: frozenset[Word] = frozenset()
    opt_in_words: frozenset[Word] = frozenset()

    @field_validator("opt_in_words")
    @classmethod
    def _is_no_opt_out(cls, value: frozenset[str], info: ValidationInfo) -> frozenset[str]:
        if both := value & info.data.get("opt_out_words", frozenset()):
            raise ValueError(f"{min(both)} is an opt-out word, too: remove one")
        return value
