"""The limit of messages from one number to one person (Meta: one per 6 s, and up to 45 at once, on credit).

The rule can be read in two ways:

- bucket: up to 45 at once after a quiet time, and one for every 6 s from then on.
- debt: a burst of up to 45 within 6 s, and nothing more until 6 s have passed for each message of it.

A debt never allows what a bucket refuses. One state serves both, so that each command may choose.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

MANY_PAIRS: Final = 1_000
"""People of an account in memory from which on those that owe nothing are forgotten."""
LATE: Final = 0.5
"""Seconds that a message may be on its way, from when it was spent. Nothing is left unused by more than that.

A burst ends so much earlier, and a new process counts it for what the one before it may not have known.
"""
MOST_PAUSE: Final = 3_600.0
"""Seconds for which a person's messages may be paused at most."""


class PairRule(StrEnum):
    """The reading of the pair limit."""

    BUCKET = "bucket"
    DEBT = "debt"
    OFF = "off"


class PairLimit(NamedTuple):
    """The pair limit of an account: one message per `interval` seconds, and a burst of so many."""

    interval: float = 6.0
    burst: int = 45


class PairState(NamedTuple):
    """What one person was sent, in unix seconds.

    Attributes:
        burst_since: time of the burst's first message.
        spent_until: time until which permits are spent.
        paused_until: end of a pause.
    """

    burst_since: float
    spent_until: float
    paused_until: float = 0.0


IDLE: Final = PairState(0.0, 0.0)


class AccountPairs:
    """The pairs of one account."""

    __slots__ = ("_limit", "_many", "_states")

    def __init__(self, limit: PairLimit) -> None:
        self._limit = limit
        self._many = MANY_PAIRS
        self._states: dict[str, PairState] = {}

    def __contains__(self, person: str) -> bool:
        return person in self._states

    def __len__(self) -> int:
        return len(self._states)

    def state(self, person: str) -> PairState:
        return self._states.get(person, IDLE)

    def restore(self, person: str, state: PairState, now: float) -> None:
        """Continue with what another process has sent to a person.

        Its burst is over: the clock may have been set back, and would let it last. Nobody owes more than a burst behind
        a pause; it may look so for the same reason.
        """
        self._make_room(now)
        paused_until = min(state.paused_until, now + MOST_PAUSE)
        most = max(now, paused_until) + self._limit.burst * self._limit.interval
        self._states[person] = PairState(0.0, min(state.spent_until, most), paused_until)

    def wait(self, person: str, rule: PairRule, now: float) -> float:
        """Return the seconds until the person may be sent a message."""
        state = self._states.get(person)
        if state is None or state.spent_until <= now or rule is PairRule.OFF:
            return 0.0
        interval, burst = self._limit
        on_credit = max(0.0, state.spent_until - (burst - 1) * interval - now)
        if rule is PairRule.BUCKET or now + on_credit < state.burst_since + interval - LATE:
            return on_credit
        return state.spent_until - now

    def take(self, person: str, now: float) -> PairState:
        """Spend a message to a person, which `wait` has allowed; return the new state."""
        state = self._states.get(person, IDLE)
        since = now if state.spent_until <= now else state.burst_since
        self._make_room(now)
        spent_until = max(state.spent_until, now) + self._limit.interval
        state = self._states[person] = PairState(since, spent_until, state.paused_until)
        return state

    def arrived(self, person: str, now: float) -> None:
        """Note that a message to a person has arrived by now.

        The provider counts from when the first one of a burst arrives, which is later than it was spent: its intent had
        to become durable, and it was on its way.
        """
        state = self._states.get(person)
        if state is not None and state.spent_until == state.burst_since + self._limit.interval:
            self._states[person] = state._replace(spent_until=max(now, state.burst_since) + self._limit.interval)

    def pause(self, person: str, now: float, seconds: float) -> PairState:
        """Allow a person nothing for `seconds`, and one message per interval from then on; return the new state."""
        interval, burst = self._limit
        state = self.state(person)
        paused_until = max(state.paused_until, now + min(seconds, MOST_PAUSE))
        spent_until = max(state.spent_until, paused_until + (burst - 1) * interval)
        state = self._states[person] = PairState(0.0, spent_until, paused_until)
        return state

    def _make_room(self, now: float) -> None:
        """Forget the people who owe nothing, once there are many."""
        if len(self._states) < self._many:
            return
        self._states = {person: state for person, state in self._states.items() if state.spent_until > now}
        self._many = max(MANY_PAIRS, 2 * len(self._states))
