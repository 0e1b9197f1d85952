"""The share of its allowance that each number used while its partition had an owner."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from chaos.evidence import Effect
from chaos.sends.ownership import Span

LEAST: Final = 0.95
"""Share of its allowance that is promised."""


class Share(NamedTuple):
    """One number.

    Attributes:
        rate: its limit, in messages per second.
        owned: seconds in which its partition had an owner.
        failed: all other seconds.
        sent: messages in the owned seconds.
    """

    account: str
    rate: float
    owned: float
    failed: float
    sent: int

    @property
    def used(self) -> float:
        return self.sent / (self.rate * self.owned) if self.owned else 0.0


def share(account: str, rate: float, effects: Iterable[Effect], spans: Sequence[Span], during: Span) -> Share:
    """Return the share of one number by all effects of a run. `spans` are those in which it had an owner."""
    times = sorted(effect.at for effect in effects if effect.account == account)
    seconds = sum(end - begin for begin, end in spans)
    sent = sum(bisect_left(times, end) - bisect_left(times, begin) for begin, end in spans)
    return Share(account, rate, seconds, during[1] - during[0] - seconds, sent)


def unused(shares: Iterable[Share]) -> list[str]:
    """Return one line for each number that used less than is promised."""
    return [f"{each.account} used {each.used:.2%} of its allowance, of {LEAST:.0%}" for each in shares if _less(each)]


def _less(each: Share) -> bool:
    return each.used < LEAST
