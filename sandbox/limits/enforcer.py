"""All limits of all accounts: one question per message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from pipeline.sandbox.limits.pairs import Pairs
from pipeline.sandbox.limits.people import People
from pipeline.sandbox.limits.rates import PairDebt, RateBucket, SlidingWindow
from pipeline.sandbox.limits.settings import LimitKind, SandboxLimits
from pipeline.sandbox.limits.tier import DAY, Recipients

MessageKind = Literal["free_form", "template", "marketing", "group", "gateway"]
"""A message's kind, as far as limits depend on it. `marketing` is a template, too.

`group` and `gateway` have neither a service window nor a tier, and a group has no pair.
"""

AccountKey = tuple[str, str]
"""A provider and an account's id."""

_TEMPLATES: Final = frozenset({"template", "marketing"})


class ExceededLimit(NamedTuple):
    """The limit that a message exceeds.

    Attributes:
        wait: seconds until the message would be allowed; 0 if that is up to the user.
        told_by: `answer` rejects the message; by `status` it is accepted, and then fails.
    """

    kind: LimitKind
    wait: float = 0.0
    told_by: Literal["answer", "status"] = "answer"


class WindowUsage(NamedTuple):
    """The state of the shortest window: messages of it, messages that are left, and seconds until there are more."""

    limit: int
    remaining: int
    resets_in: float


class LimitEnforcer:
    """The counters of all accounts. What is known of users (their last messages, their opt-outs) is kept for good.

    Args:
        limits: limits of all accounts.
        own: limits of single accounts. Fields that are given there win.
        businesses: the `business_id` of accounts; None or missing is a business of its own.
    """

    def __init__(
        self,
        limits: SandboxLimits,
        own: Mapping[AccountKey, SandboxLimits] | None = None,
        businesses: Mapping[AccountKey, str | None] | None = None,
    ) -> None:
        self.people = People()
        self.pairs = Pairs()
        self._businesses = businesses or {}
        self.configure(limits, own)

    def configure(self, limits: SandboxLimits, own: Mapping[AccountKey, SandboxLimits] | None = None) -> None:
        """Set new limits. All counters start anew."""
        self._limits = limits
        self._own = dict(own or {})
        self._counters: dict[AccountKey, _Counters] = {}
        self._recipients: defaultdict[str, Recipients] = defaultdict(Recipients)
        self.pairs.clear()

    def set_own(self, provider: str, account: str, own: SandboxLimits) -> None:
        """Set the limits of one account. Its throughput and its windows start anew."""
        self._own[provider, account] = own
        self._counters.pop((provider, account), None)

    def limits(self, provider: str, account: str) -> SandboxLimits:
        """Return the limits of an account."""
        own = self._own.get((provider, account))
        return self._limits if own is None else self._limits.with_given(own)

    def usage(self, provider: str, account: str, now: float) -> WindowUsage | None:
        """Return the state of an account's shortest window; None if it has none."""
        windows = self._of(provider, account, now).windows
        if not windows:
            return None
        window = next(iter(windows.values()))
        return WindowUsage(window.limit, window.remaining(now), window.resets_in(now))

    def receive(
        self, provider: str, account: str, phone: str, now: float, *, user_id: str | None = None, count: int = 1
    ) -> None:
        """Count `count` messages of a user in the throughput. They open the service window."""
        of = self._of(provider, account, now)
        self.people.named(of.business, phone, user_id)
        self.people.wrote(of.name, phone, now)
        if of.throughput and of.limits.count_inbound:
            of.throughput.take(now, count)

    def prefer(
        self, provider: str, account: str, phone: str, now: float, *, marketing: bool, user_id: str | None = None
    ) -> None:
        """Set a user's preference on marketing messages."""
        of = self._of(provider, account, now)
        self.people.named(of.business, phone, user_id)
        self.people.prefers(of.name, phone, marketing=marketing)

    def check(
        self, provider: str, account: str, to: str, now: float, kind: MessageKind = "free_form"
    ) -> ExceededLimit | None:
        """Return the limit that a message exceeds; None and count it if there is none.

        A message that is accepted and then fails counts, too, but not as one of the tier.
        """
        of = self._of(provider, account, now)
        person = self.people.person(of.business, to)
        refused = self._refusal(of, person, kind, now)
        if refused and refused.told_by == "answer":
            return refused
        has_pair = of.limits.pair != "off" and kind != "group"
        pair = self.pairs.get((provider, account, person), of.limits, now) if has_pair else None
        exceeded = of.exceeded(pair, now)
        if exceeded:
            return exceeded
        of.take(pair, now)
        if refused is None and self._is_tiered(of, person, kind, now):
            self._recipients[of.business].add(person, now)
        return refused

    def _refusal(self, of: _Counters, person: str, kind: MessageKind, now: float) -> ExceededLimit | None:
        """Return the limit of whom a business may write what, and when."""
        by = of.limits.refuse_by
        if kind == "marketing" and self.people.has_opted_out(of.name, person):
            return ExceededLimit("marketing_opt_out", told_by=by)
        if kind == "free_form" and of.limits.service_window is not None and not self._is_open(of, person, now):
            return ExceededLimit("service_window", told_by=by)
        if self._is_tiered(of, person, kind, now):
            recipients = self._recipients[of.business]
            if not recipients.allows(person, of.limits.messaging_tier or 0, now):
                return ExceededLimit("messaging_tier", recipients.wait(now), told_by=by)
        return None

    def _is_tiered(self, of: _Counters, person: str, kind: MessageKind, now: float) -> bool:
        return of.limits.messaging_tier is not None and kind in _TEMPLATES and not self._is_open(of, person, now)

    def _is_open(self, of: _Counters, person: str, now: float) -> bool:
        """Return True in the service window."""
        return self.people.since_last_message(of.name, person, now) <= of.window

    def _of(self, provider: str, account: str, now: float) -> _Counters:
        of = self._counters.get((provider, account))
        if of is None:
            name = f"{provider}:{account}"
            business = self._businesses.get((provider, account)) or name
            of = self._counters[provider, account] = _Counters(name, business, self.limits(provider, account), now)
        return of


class _Counters:
    """The counters of one account."""

    def __init__(self, name: str, business: str, limits: SandboxLimits, now: float) -> None:
        self.name = name
        self.business = business
        self.limits = limits
        self.window = limits.service_window or DAY
        rate = limits.messages_per_second
        self.throughput = None if rate is None else RateBucket(rate, limits.capacity, now)
        self.windows = dict(_windows(limits))

    def exceeded(self, pair: RateBucket | PairDebt | None, now: float) -> ExceededLimit | None:
        if pair and not pair.allows(now):
            return ExceededLimit("pair", pair.wait(now))
        if self.throughput and not self.throughput.allows(now):
            return ExceededLimit("messages_per_second", self.throughput.wait(now))
        full = [(window.wait(now), kind) for kind, window in self.windows.items() if not window.allows(now)]
        if not full:
            return None
        wait, kind = max(full)
        return ExceededLimit(kind, wait)

    def take(self, pair: RateBucket | PairDebt | None, now: float) -> None:
        if pair:
            pair.take(now)
        if self.throughput:
            self.throughput.take(now)
        for window in self.windows.values():
            window.take(now)


def _windows(limits: SandboxLimits) -> Iterator[tuple[LimitKind, SlidingWindow]]:
    """Yield the windows, the shortest first."""
    if limits.seconds_between is not None:
        yield "seconds_between", SlidingWindow(1, limits.seconds_between, limits.jitter)
    if limits.messages_per_minute is not None:
        yield "messages_per_minute", SlidingWindow(limits.messages_per_minute, 60.0, limits.jitter)
    if limits.messages_per_day is not None:
        yield "messages_per_day", SlidingWindow(limits.messages_per_day, DAY, limits.jitter)
