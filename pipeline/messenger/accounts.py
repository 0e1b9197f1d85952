"""Describe accounts to people: the controls that the messenger obeys, and the facts of its further parts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from operator import itemgetter
from typing import Any

from pipeline.messenger.controls import Controls
from pipeline.messenger.limit_metric import LimitMetric, Records
from pipeline.messenger.limits.account import RateUse
from pipeline.tenants import Account, Tenants
from pipeline.topics.keys import account_key

Describe = Callable[[Account], Mapping[str, Any]]
"""Returns facts about an account, by names that no other part uses. The values can be written as JSON."""


class AccountFacts:
    """Collects what is known of each account.

    Args:
        more: further parts that know something.
        use: returns how much of its rate an account uses, by its key; None: nothing is known of it.
    """

    def __init__(
        self,
        tenants: Tenants,
        controls: Controls,
        *more: Describe,
        use: Callable[[str], RateUse | None] = lambda _: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._tenants = tenants
        self._controls = controls
        self._more = more
        self._now = now
        self._metric = LimitMetric(self.describe, use)

    def fair_keys(self) -> Sequence[tuple[str, str]]:
        """Return the tenant and the key of each account, in the order of the keys."""
        return self._sorted

    @cached_property
    def _sorted(self) -> list[tuple[str, str]]:
        """The keys, made when somebody asks: there may be 50,000, and most processes are never asked."""
        found = (
            (tenant.id, account_key(account.provider, account.id))
            for tenant in self._tenants
            for account in tenant.accounts
        )
        return sorted(found, key=itemgetter(1))

    def describe(self, account: str) -> Mapping[str, Any]:
        """Return the facts about an account, by its key; none if no tenant owns it.

        `paused` is the cause or null, `paused_until` a time or null, limits are in messages per second.
        """
        found = self._tenants.account(*account.split(":", 1))
        if found is None:
            return {}
        pause = self._controls.pauses.get((found.provider, found.id))
        until = pause.until if pause is not None else -math.inf
        facts = {
            "paused": pause.cause if pause is not None and self._now() < until else None,
            "paused_until": _time(until) if self._now() < until else None,
            "messages_per_second": self._controls.rate(found),
            "configured_messages_per_second": found.rate,
        }
        for describe in self._more:
            facts.update(describe(found))
        return facts

    def show(self, waiting: Records, top: Sequence[tuple[str, str]]) -> None:
        """Set the metrics of limits, those by account for the tenants and accounts in `top`."""
        self._metric.show(waiting, top)


def _time(at: float) -> str | None:
    return datetime.fromtimestamp(at, UTC).isoformat() if math.isfinite(at) else None
