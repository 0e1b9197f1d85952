"""The inputs, with marks that prove afterwards that none was lost."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from chaos.webhooks import signed
from pipeline.ingress.records import webhook_id

PATH: Final = "/webhooks/cloud"
TAKEN: Final = frozenset({200})
PARTS: Final = 100_000
"""Inputs have fewer parts than this."""


@dataclass(frozen=True, slots=True)
class Input:
    """One request.

    Attributes:
        marks: bytes that say which input a record came of: each must be in an event or in a dead letter if the input
            is taken, and in none if it is refused.
        answers: the statuses that are right.
        chunked: sent without saying how long it is.
    """

    kind: str
    body: bytes
    marks: Sequence[bytes]
    headers: Mapping[str, str]
    answers: frozenset[int] = TAKEN
    method: str = "POST"
    path: str = PATH
    chunked: bool = field(default=False)


@dataclass(frozen=True, slots=True)
class Ticket:
    """The source of an input: its number and its random generator."""

    number: int
    rng: Random

    def mark(self, part: int = 0) -> str:
        """16 digits, the same as a string, as an integer and as a double."""
        return mark(self.number, part)


MARK: Final = re.compile(rb"77\d{14}")


def mark(number: int, part: int = 0) -> str:
    return str(7_700_000_000_000_000 + number * PARTS + part)


def authentic(kind: str, body: bytes, *marks: str, **more: str) -> Input:
    """Return an input with a good signature, found by its marks; by the id of the webhook where it can carry none."""
    return Input(kind, body, [text.encode() for text in marks] or [webhook_id(body)], {**signed(body), **more})
