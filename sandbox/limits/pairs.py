"""The pair limits of all numbers."""

from __future__ import annotations

from typing import Final

from pipeline.sandbox.limits.rates import PAIR_BURST, PAIR_INTERVAL, PairDebt, RateBucket
from pipeline.sandbox.limits.settings import SandboxLimits

Pair = tuple[str, str, str]
"""A provider, an account and a user."""

CAP: Final = 100_000
"""Pairs in memory. A thousand messages a second keep at most 6,000 pairs in use."""


class Pairs:
    """The pairs that have used up something."""

    def __init__(self, cap: int = CAP) -> None:
        self._cap = cap
        self._pairs: dict[Pair, RateBucket | PairDebt] = {}
        self._forgotten = 0

    def counts(self) -> dict[str, int]:
        """Return counts: the pairs in memory, and those that did not fit into it although their past still counts."""
        return {"total": len(self._pairs), "forgotten": self._forgotten}

    def get(self, key: Pair, limits: SandboxLimits, now: float) -> RateBucket | PairDebt:
        """Return the counter of a pair, a new one for a pair without a past."""
        pair = self._pairs.get(key)
        if pair is None:
            if len(self._pairs) >= self._cap:
                self._sweep(now)
            pair = self._pairs[key] = _counter(limits, now)
        return pair

    def clear(self) -> None:
        self._pairs.clear()

    def _sweep(self, now: float) -> None:
        """Forget pairs whose past no longer counts; if that is not half of them, also those that are free soonest."""
        kept = [item for item in self._pairs.items() if item[1].settled_at() > now]
        if len(kept) > self._cap // 2:
            kept.sort(key=lambda item: item[1].settled_at(), reverse=True)
            self._forgotten += len(kept) - self._cap // 2
            del kept[self._cap // 2 :]
        self._pairs = dict(kept)


def _counter(limits: SandboxLimits, now: float) -> RateBucket | PairDebt:
    if limits.pair == "debt":
        return PairDebt(limits.jitter)
    return RateBucket(1 / PAIR_INTERVAL, PAIR_BURST, now, limits.jitter)
