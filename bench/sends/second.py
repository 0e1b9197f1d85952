"""A second campaign in the partition of a long one."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.sends.allowance import used_share
from bench.sends.site import Site

FIRST: Final = 500_000_000
"""Number of its first command."""
PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Second:
    """A second campaign.

    Attributes:
        began: seconds from its publication to its first message.
        share: of its own rate, from then on.
        first_share: of its own rate that the first campaign had meanwhile.
    """

    began: float
    share: float
    first_share: float


def second_campaign(place: Site, account: str, first: str, rate: float, seconds: float) -> Second:
    """Queue a campaign of a number, and watch it for so long."""
    commands = range(FIRST, FIRST + int(rate * (seconds + 5)))
    published = time.time()
    place.queue(account, commands)
    place.sandbox.wait_for(account, commands, PATIENCE + seconds)
    times, others = ([each.at for each in place.sandbox.sent(name)] for name in (account, first))
    return found(published, times, others, rate, seconds)


def found(published: float, times: Sequence[float], others: Sequence[float], rate: float, seconds: float) -> Second:
    """Return what is known of a campaign by the times of its messages and of the first one's."""
    begins = times[0]
    meanwhile = bisect_left(others, begins + seconds) - bisect_left(others, begins)
    return Second(begins - published, used_share(times, rate, seconds), meanwhile / (rate * seconds))
