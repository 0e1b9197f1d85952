"""Tell the operator about codes that only a person can end: an expired token, a banned number, a missing payment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from pipeline.logging import get_logger
from pipeline.metrics import ACCOUNTS_NEEDING_ATTENTION
from pipeline.providers.code_policy import CodePolicy
from pipeline.topics.catalogue import MESSENGER

log = get_logger(__name__)

QUIET: Final = 3600.0
"""Seconds between two lines about one code of an account. An account counts as many after the code came last."""
MAX_CODES: Final = 10_000
"""Codes of accounts that are kept; beyond them, those that came longest ago are forgotten."""


class _Told(NamedTuple):
    """Times of a code of an account, in seconds of a monotonic clock: of its last line, and of its last answer."""

    logged: float
    seen: float


class AccountAlerts:
    """The codes of accounts that ask for a person, one log line an hour for each, and the gauge of their accounts.

    Args:
        clock: returns seconds of any monotonic clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[tuple[str, str, int], _Told] = {}
        self._exported: set[tuple[str, int]] = set()

    def note(self, tenant: str, provider: str, account: str, code: int, policy: CodePolicy) -> None:
        """Note a code that the provider answered, or told by a status webhook. Most codes ask for nobody."""
        if policy.alerts and self._is_due((provider, account, code), self._clock()):
            self._export(provider, code)
            log.error(
                "account_needs_attention",
                detail=f"{policy.meaning}: {policy.advice}",
                tenant=tenant,
                provider=provider,
                account=account,
                code=code,
            )

    def count(self, provider: str, code: int) -> int:
        """Return the number of accounts for which the code came within the last `QUIET` seconds."""
        since = self._clock() - QUIET
        found = tuple(self._told.items())
        return sum(told.seen > since and (name, each) == (provider, code) for (name, _, each), told in found)

    def _is_due(self, key: tuple[str, str, int], now: float) -> bool:
        """Remember that the code came now. Return True if its next line is due."""
        before = self._told.pop(key, None)
        is_due = before is None or now - before.logged >= QUIET
        self._told[key] = _Told(now if is_due or before is None else before.logged, now)
        if len(self._told) > MAX_CODES:
            del self._told[next(iter(self._told))]
        return is_due

    def _export(self, provider: str, code: int) -> None:
        """Count the accounts of a code when the metric is read, so that it ends without another call."""
        if (provider, code) not in self._exported:
            self._exported.add((provider, code))
            gauge = ACCOUNTS_NEEDING_ATTENTION.labels(MESSENGER, provider, str(code))
            gauge.set_function(lambda: self.count(provider, code))
