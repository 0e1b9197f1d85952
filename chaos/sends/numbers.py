"""The numbers of a run, with their limits, and the messages of their campaigns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from random import Random
from typing import Final

from chaos.accounts import Number, Setup
from chaos.options import Options
from chaos.webhooks import Contact, Message

PARTS: Final = {"770000": 1 / 2, "770001": 1 / 4, "770002": 1 / 8, "770003": 1 / 8}
"""Part of each number in the rate of a run. With the 8 partitions of a run the first two are on one of them."""
NUMBERS: Final = tuple(Number(f"sender-{id_}", f"7600{id_[-1]}", id_) for id_ in PARTS)
RATE: Final = 80.0
"""Messages per second of all numbers together, unless a run has another rate."""
MORE: Final = 30.0
"""Seconds of further messages, so that no campaign ends before the faults do."""
AGAIN: Final = 30.0
"""Seconds after which a person gets another message, about: more than the pair limit asks for."""
HOT: Final = 3
"""People of each number who get far more at once than the pair limit allows."""
HOT_SHARE: Final = 1 / 12
"""Messages of each of them per second of the run: half of what they may get in all of it."""


def rates(options: Options) -> dict[str, float]:
    """Return the limit of each number, in messages per second."""
    return {id_: part * options.rate for id_, part in PARTS.items()}


def setup(options: Options) -> Setup:
    """Return the tenants and numbers of a run. The sandbox takes the pair limit as a debt."""
    limits = {id_: {"messages_per_second": rate} for id_, rate in rates(options).items()}
    return Setup(NUMBERS, limits=limits, sandbox_limits={id_: {**own, "pair": "debt"} for id_, own in limits.items()})


def campaigns(options: Options) -> dict[Number, list[Message]]:
    """Return the messages of each number, in order. They follow from the seed alone."""
    return {number: list(_campaign(number, options)) for number in NUMBERS}


def _campaign(number: Number, options: Options) -> Iterator[Message]:
    rate = rates(options)[number.id]
    rng = Random(f"{options.seed}:{number.id}")  # noqa: S311 (replayable, no secret)
    people = [Contact(number, f"1777{place:07d}") for place in range(int(rate * AGAIN))]
    hot = [Contact(number, f"1888{place:07d}") for place in range(HOT)]
    cold = int(rate * (options.seconds + MORE)) - HOT * int(options.seconds * HOT_SHARE)
    order = [people[place % len(people)] for place in range(cold)]
    at = sorted((rng.randrange(int(cold / 4)) for _ in hot), reverse=True)
    for contact, place in zip(hot, at, strict=True):
        order[place:place] = [contact] * int(options.seconds * HOT_SHARE)
    places: dict[Contact, int] = defaultdict(int)
    for contact in order:
        yield Message(contact, places[contact], str(places[contact]))
        places[contact] += 1
