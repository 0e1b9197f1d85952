"""All limits of one account: its rate, each person's pair, and quotas of a day.

The state outlives this process in rows of the messenger's table, written with the intent of a call. A row of the rate
or of a quota says more than was spent, so that most calls need none of their own. Whoever continues from the rows sends
no more than this process could have, and wastes no more than that.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple

import orjson

from pipeline.messenger.limits.learnt import LearntRate
from pipeline.messenger.limits.pairs import IDLE, LATE, AccountPairs, PairLimit, PairRule, PairState
from pipeline.messenger.limits.quota import DailyQuota, RecipientQuota, digest
from pipeline.messenger.limits.rows import ReadRow, decode_numbers
from pipeline.messenger.limits.use import RecentUse
from pipeline.token_bucket import TokenBucket

SPENT_AHEAD: Final = 0.5
"""Seconds of permits that a row counts as spent before they are."""
INBOUND_DEBT: Final = 1.0
"""Seconds for which inbound messages may stop an account at most, however many there were."""
MOST_PAUSE: Final = 3_600.0
"""Seconds of a pause that another process has left, at most: the clock may have been set back since."""


class Limit(StrEnum):
    """A limit that makes a command wait."""

    RATE = "messages_per_second"
    PAIR = "pair"
    MESSAGES = "messages_per_day"
    RECIPIENTS = "template_recipients_per_day"


class Limits(NamedTuple):
    """The limits of an account.

    Attributes:
        rate: messages per second.
        burst: messages at once after a quiet time.
        pair: the limit to one person; None: there is none.
        messages_per_day: messages in any 24 hours; None: any number.
        recipients_per_day: people who get a template in any 24 hours; None: any number.
    """

    rate: float
    burst: float
    pair: PairLimit | None = None
    messages_per_day: int | None = None
    recipients_per_day: int | None = None


class Send(NamedTuple):
    """What a command spends.

    Attributes:
        person: the one who gets it, as the provider writes the name.
        rule: the reading of the pair limit for it.
        is_template: it counts its recipient.
    """

    person: str
    rule: PairRule = PairRule.OFF
    is_template: bool = False


class Block(NamedTuple):
    """A limit, and the seconds until it allows the command."""

    limit: Limit
    seconds: float


class RateUse(NamedTuple):
    """The use of an account's rate.

    Attributes:
        used: messages per second of the last minute, received ones included.
        allowed: messages per second now.
        lowered: True while the provider's throttles allow less than the configured rate.
    """

    used: float
    allowed: float
    lowered: bool


class AccountLimiter:
    """The limits of one account, and what was spent of them.

    Args:
        name: the account's key, which is in the keys of its rows.
        read: reads a row of the messenger's table.

    Attributes:
        throttles: number of calls that the provider refused for the account's rate, since it is here.
        sent: the permits that were used in the last minute.
        received: the messages that the account received meanwhile, where its provider counts them as well.
    """

    __slots__ = (
        "_messages",
        "_name",
        "_pairs",
        "_read",
        "_recipients",
        "_saved_until",
        "bucket",
        "learnt",
        "limits",
        "received",
        "sent",
        "throttles",
    )

    def __init__(self, name: str, limits: Limits, read: ReadRow, now: float) -> None:
        self._name = name
        self._read = read
        self.limits = limits
        self.learnt = LearntRate(limits.rate)
        self.bucket = TokenBucket(limits.rate, limits.burst, now)
        self._pairs = AccountPairs(limits.pair) if limits.pair else None
        self._messages = self._recipients = None
        if (most := limits.messages_per_day) is not None:
            self._messages = DailyQuota(f"messages:{name}", most, read, now)
        if (most := limits.recipients_per_day) is not None:
            self._recipients = RecipientQuota(f"recipients:{name}", most, read, now)
        self._saved_until = float("-inf")
        self.throttles = 0
        self.sent, self.received = RecentUse(now), RecentUse(now)
        self._restore_rate(now)

    def _restore_rate(self, now: float) -> None:
        row = self._read(self._rate_key)
        if row is None:  # a version that wrote no rows may have sent just now
            self.bucket.empty(now)
            return
        spent_until, lowered_to, throttled_at, *more = decode_numbers(row, 3)
        if lowered_to:
            self.learnt.restore(lowered_to, min(throttled_at, now))
            self._adapt(now)
        paused_until = min(more[0] if more else 0.0, now + MOST_PAUSE)
        if paused_until > now:
            self.bucket.pause(now, paused_until - now)
        # No row is further ahead than this. It may look so if the clock was set back.
        most = (self.limits.burst + 1) / self.learnt.rate(now) + SPENT_AHEAD + INBOUND_DEBT
        self._saved_until = min(spent_until, max(now, paused_until) + most)
        self.bucket.spent_until = max(self._saved_until, self.bucket.paused_until)

    # Deciding

    def block(self, send: Send, now: float) -> Block | None:
        """Return what makes a command wait, beside the account's rate; None: nothing does."""
        longest: Block | None = None
        if self._pairs is not None:
            longest = _longer(None, Block(Limit.PAIR, self._pair_wait(self._pairs, send, now)))
        if self._messages is not None:
            longest = _longer(longest, Block(Limit.MESSAGES, self._messages.wait(now)))
        if self._recipients is not None and send.is_template:
            longest = _longer(longest, Block(Limit.RECIPIENTS, self._recipients.wait(now, send.person)))
        return longest

    def wait(self, now: float, behind: int = 0) -> float:
        """Return the seconds until the account's rate allows a message, behind so many others."""
        if self.learnt.is_lowered:
            self._adapt(now)
        return self.bucket.wait_behind(now, behind) if behind else self.bucket.wait(now)

    def _pair_wait(self, pairs: AccountPairs, send: Send, now: float) -> float:
        if send.rule is PairRule.OFF:
            return 0.0
        if send.person not in pairs:
            row = self._read(self._pair_key(send.person))
            pairs.restore(send.person, PairState(*decode_numbers(row, 2)[:3]) if row else IDLE, now)
        return pairs.wait(send.person, send.rule, now)

    # Spending

    def take(self, now: float) -> None:
        """Spend a permit of the rate, which `wait` has allowed."""
        self.bucket.take(now)
        self.sent.add(now)

    def spend(self, send: Send, now: float) -> None:
        """Spend what a command needs beside its permit, which `block` has allowed."""
        if self._pairs is not None and send.rule is not PairRule.OFF:
            self._pairs.take(send.person, now)
        if self._messages is not None:
            self._messages.spend(now)
        if self._recipients is not None and send.is_template:
            self._recipients.spend(now, send.person)

    def arrived(self, send: Send, now: float) -> None:
        """Note that a message has arrived by now."""
        if self._pairs is not None and send.rule is not PairRule.OFF:
            self._pairs.arrived(send.person, now)

    def charge(self, now: float, inbound: int) -> None:
        """Spend permits for messages that the account has received. Meta counts both directions."""
        self.bucket.charge(now, inbound, INBOUND_DEBT)
        self.received.add(now, inbound)

    def throttled(self, now: float, pause: float) -> bool:
        """Note that the provider refused a call for the account's rate. Return True if that lowers it."""
        self.throttles += 1
        lowered = self.learnt.throttled(now, pause)
        self._adapt(now)
        self.bucket.pause(now, pause)
        return lowered

    def pause_pair(self, person: str, now: float, seconds: float) -> None:
        """Send a person nothing for `seconds`."""
        if self._pairs is not None:
            self._pairs.pause(person, now, seconds)

    def _adapt(self, now: float) -> None:
        rate = self.learnt.rate(now)
        self.bucket.resize(now, rate, max(1.0, self.limits.burst * rate / self.limits.rate))

    def change(self, limits: Limits, now: float) -> None:
        """Use another rate from now on. What was spent stays spent, and a learnt rate counts if it is lower."""
        self.limits = self.limits._replace(rate=limits.rate, burst=limits.burst)
        self.learnt.configure(limits.rate, now)
        self._adapt(now)

    def rate_use(self, now: float) -> RateUse:
        """Return how much of the rate is used."""
        self.wait(now)  # before the rate is looked at, which ends the time of a lowered one
        used = self.sent.per_second(now) + self.received.per_second(now)
        return RateUse(used, self.learnt.rate(now), self.learnt.is_lowered)

    def describe(self, now: float) -> dict[str, Any]:
        """Return the limits and what is used of them, for people and programs."""
        (used, allowed, _), wait = self.rate_use(now), self.wait(now)
        found: dict[str, Any] = {
            "messages_per_second": {
                "configured": self.limits.rate,
                "allowed": round(allowed, 3),
                "sent": round(self.sent.per_second(now), 3),
                "received": round(self.received.per_second(now), 3),
                "used_ratio": round(used / allowed, 3),
                "next_permit_seconds": round(wait, 3),
                "recovery_seconds": round(self.learnt.recovery(now), 1),
                "throttles": self.throttles,
            }
        }
        if self._pairs is not None:
            found["pair"] = {"people": len(self._pairs)}
        for limit, quota in ((Limit.MESSAGES, self._messages), (Limit.RECIPIENTS, self._recipients)):
            if quota is not None:
                wait = quota.wait_for_one_more(now)  # before `used`, which it brings up to date
                share = round(quota.used / quota.limit, 3) if quota.limit else 1.0
                left = {"used_ratio": share, "next_seconds": round(wait, 1)}
                found[limit] = {"limit": quota.limit, "used": quota.used, **left}
        return found

    # Rows

    def rows(self, send: Send) -> dict[str, bytes]:
        """Return the rows that must be durable before a command is sent that has spent what it needs."""
        spent_until, found = self.bucket.spent_until, dict[str, bytes]()
        if spent_until > self._saved_until:
            found = self._rate_row(spent_until + SPENT_AHEAD)
        if self._pairs is not None and send.rule is not PairRule.OFF:
            state = self._pairs.state(send.person)  # it counts from when the message arrives, which is later
            found |= self._pair_row(send.person, state._replace(spent_until=state.spent_until + LATE))
        if self._messages is not None:
            found |= self._messages.rows()
        if self._recipients is not None and send.is_template:
            found |= self._recipients.rows(send.person)
        return found

    def paused_rows(self, person: str | None) -> dict[str, bytes]:
        """Return the rows with the pause of a person, or of the account if it is None."""
        if person is None:
            return self._rate_row(max(self.bucket.spent_until, self._saved_until))
        return self._pair_row(person, self._pairs.state(person)) if self._pairs is not None else {}

    def _rate_row(self, spent_until: float) -> dict[str, bytes]:
        lowered = self.learnt.lowered_to if self.learnt.is_lowered else 0.0
        row = (spent_until, lowered, self.learnt.at if lowered else 0.0, self.bucket.paused_until)
        return {self._rate_key: orjson.dumps(row)}

    def _pair_row(self, person: str, state: PairState) -> dict[str, bytes]:
        return {self._pair_key(person): orjson.dumps(tuple(state))}

    def saved(self, rows: dict[str, bytes]) -> None:
        """Note that rows are durable."""
        if (row := rows.get(self._rate_key)) is not None:
            self._saved_until = max(self._saved_until, orjson.loads(row)[0])
        for quota in (self._messages, self._recipients):
            if quota is not None:
                quota.saved(rows)

    @property
    def _rate_key(self) -> str:
        return f"limit:{self._name}"

    def _pair_key(self, person: str) -> str:
        return f"pair:{self._name}:{digest(person)}"


def _longer(one: Block | None, other: Block) -> Block | None:
    return other if other.seconds > (one.seconds if one else 0.0) else one
