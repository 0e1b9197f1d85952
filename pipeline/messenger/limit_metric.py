"""The metrics of limits: of each partition's accounts together, and of the accounts of which most waits."""

from __future__ import annotations

import heapq
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from prometheus_client import Gauge

from pipeline.messenger.limits.account import Limit, RateUse
from pipeline.messenger.limits.use import SPAN
from pipeline.metrics import (
    ALLOWANCE_USED,
    TOP_FAILED_OUTCOMES,
    TOP_LIMIT_USED,
    TOP_RATE,
    TOP_THROTTLES,
    Labels,
    OwnSeries,
)
from pipeline.topics.catalogue import MESSENGER

BACKLOG_SECONDS: Final = 5.0
"""Seconds of an account's rate that must wait before it has much to send."""
BACKLOG: Final = 500
"""Records that are enough for it, whatever the rate."""
MAX_ACCOUNTS: Final = 2_000
"""Accounts with the most to send that are looked at, at most."""

OF_THE_RATE: Final = frozenset({"nothing", "in_work", "turn", Limit.RATE.value})
"""What records wait for that the account's rate alone keeps from being sent."""

Place = tuple[int, str, str]
"""The number of a partition, a tenant and an account."""
Records = Mapping[Place, Mapping[str, int]]
"""Numbers of records, by place and what they wait for."""


class LimitMetric:
    """Shows the limits of one app's accounts.

    Args:
        describe: returns the facts about an account, by its key.
        use: returns how much of its rate an account uses, by its key; None: nothing is known of it.
        clock: returns seconds that never jump.
    """

    def __init__(
        self,
        describe: Callable[[str], Mapping[str, Any]],
        use: Callable[[str], RateUse | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._describe = describe
        self._use = use
        self._clock = clock
        self._since: dict[Place, float] = {}
        gauges = ALLOWANCE_USED, TOP_LIMIT_USED, TOP_RATE, TOP_THROTTLES, TOP_FAILED_OUTCOMES
        self._series = {gauge: OwnSeries(gauge) for gauge in gauges}

    def show(self, waiting: Records, top: Sequence[tuple[str, str]]) -> None:
        """Set the metrics, those by account for the tenants and accounts in `top`; remove the series of all others."""
        self._series[ALLOWANCE_USED].set(dict(self._shares(waiting)))
        values: dict[Gauge, dict[Labels, float]] = defaultdict(dict)
        for tenant, account in top:
            for gauge, labels, value in _of_account(self._describe(account)):
                values[gauge][MESSENGER, tenant, account, *labels] = value
        for gauge in (TOP_LIMIT_USED, TOP_RATE, TOP_THROTTLES, TOP_FAILED_OUTCOMES):
            self._series[gauge].set(values[gauge])

    def _shares(self, waiting: Records) -> Iterator[tuple[Labels, float]]:
        """Yield the share of the allowance that was used, by partition, where accounts had much to send for long."""
        used, allowed = defaultdict[int, float](float), defaultdict[int, float](float)
        for place, use in self._with_backlog(waiting):
            used[place[0]] += min(use.used, use.allowed)
            allowed[place[0]] += use.allowed
        return (((MESSENGER, str(partition)), used[partition] / allowed[partition]) for partition in used)

    def _with_backlog(self, waiting: Records) -> Iterator[tuple[Place, RateUse]]:
        """Yield the accounts that had much to send at each look of the last minute. A throttled one is left out."""
        now, since, self._since = self._clock(), self._since, {}
        counts = {place: sum(found.get(each, 0) for each in OF_THE_RATE) for place, found in waiting.items()}
        for place in heapq.nlargest(MAX_ACCOUNTS, counts, key=counts.__getitem__):
            use = self._use(place[2])
            if use is None or use.lowered or counts[place] < min(BACKLOG, BACKLOG_SECONDS * use.allowed):
                continue
            self._since[place] = since.get(place, now)
            if now - self._since[place] >= SPAN:
                yield place, use


def _of_account(facts: Mapping[str, Any]) -> Iterator[tuple[Gauge, Labels, float]]:
    """Yield the values of an account's metrics."""
    limits = facts.get("limits", {})
    for limit, found in limits.items():
        if "used_ratio" in found:
            yield TOP_LIMIT_USED, (str(limit),), found["used_ratio"]
    if (rate := limits.get(Limit.RATE)) is not None:
        yield TOP_THROTTLES, (), rate["throttles"]
        for name in ("configured", "allowed", "sent", "received"):
            yield TOP_RATE, (name,), rate[name]
    for code, count in facts.get("failed_outcomes", {}).items():
        yield TOP_FAILED_OUTCOMES, (code,), count
