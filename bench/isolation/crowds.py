"""Those in whose way nobody may be: one row of the table each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from bench.isolation import hooks


class Gateway(Enum):
    """What becomes of the crowd's calls."""

    ANSWERS = "answers"
    REFUSES = "refuses connections"
    HANGS = "takes connections and never answers"


@dataclass(frozen=True, slots=True)
class Crowd:
    """One tenant with one number, in the partitions of the other one.

    Attributes:
        name: what it does.
        waiting: records that wait for it before the other one is measured.
        rate: further ones per second meanwhile.
        gateway: what its number's gateway does.
        handler: dotted path of its handler; empty: the default one, which replies.
        per_second: limit of its number; 0: none.
        people: who write to it; 1 is a hot conversation.
        campaign: True: it sends commands in bulk, and so does the other one; False: both get webhooks, and reply.
        other_rate: inputs of the other one per second.
    """

    name: str
    waiting: int
    rate: float = 5.0
    gateway: Gateway = Gateway.ANSWERS
    handler: str = ""
    per_second: float = 0.0
    people: int = 5_000
    campaign: bool = False
    other_rate: float = 25.0


NOBODY: Final = Crowd("nobody: the idle system against itself", 0, 0.0)
ROWS: Final = (
    NOBODY,
    Crowd("an account is away, 1,100 wait", 1_100, gateway=Gateway.REFUSES),
    Crowd("a slow account, 1 a second, 1,400 wait", 1_400, per_second=1.0),
    Crowd("a hot conversation, 2,500 texts, hook of 50 ms", 2_500, handler=hooks.SLOW, people=1),
    Crowd("a tenant whose hook raises, 1,400 wait", 1_400, handler=hooks.RAISING),
    Crowd("a gateway that hangs, 1,400 wait", 1_400, gateway=Gateway.HANGS),
    Crowd("a campaign, 80 a second, 20,000 wait", 20_000, 0.0, per_second=80.0, campaign=True),
)
LIGHT: Final = 10.0
"""Inputs per second of the light tenant."""
HEAVY: Final = (
    Crowd("webhooks, hook of 1 s: 100,000 wait", 100_000, 0.0, handler=hooks.SLOWER, other_rate=LIGHT),
    Crowd("campaign, 80 a second: 100,000 wait", 100_000, 0.0, per_second=80.0, campaign=True, other_rate=LIGHT),
)
"""1,000 times as much as the light tenant has in ten seconds."""
