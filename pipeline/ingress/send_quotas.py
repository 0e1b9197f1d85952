"""Quotas of the HTTP API: token buckets for each tenant and for each of its keys. Pure logic: the time is an argument.

Every send counts for the quota of all sends. One that stays interactive counts for the interactive quota, too.
The buckets are those of one process: several ingresses allow as many times as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from pipeline.tenants import SendLimits, Tenant
from pipeline.token_bucket import TokenBucket

_TOLERANCE: Final = 1e-6
"""Seconds. A caller that waited as long as it was told must not be too early by a rounding error."""


class SendDefaults(NamedTuple):
    """The quotas of tenants that have none of their own, as in `SendLimits`."""

    rate: float
    burst: float
    interactive_rate: float
    interactive_burst: float
    key_share: float

    def of(self, limits: SendLimits) -> SendDefaults:
        """Return the quotas of a tenant: its own where it has one."""
        own = {name: value for name in self._fields if (value := getattr(limits, name)) is not None}
        return self._replace(**own)


class _Buckets(NamedTuple):
    sends: TokenBucket
    interactive: TokenBucket

    @classmethod
    def full(cls, limits: SendDefaults, share: float, now: float) -> _Buckets:
        return cls(
            _full(limits.rate * share, limits.burst * share, now),
            _full(limits.interactive_rate * share, limits.interactive_burst * share, now),
        )


class SendQuotas:
    """Counts the sends of every tenant and key.

    A key has a share of its tenant's quotas, so that a program that runs wild leaves something for the others.
    """

    def __init__(self, defaults: SendDefaults) -> None:
        self._defaults = defaults
        self._tenants: dict[str, _Buckets] = {}
        self._keys: dict[str, _Buckets] = {}  # by the key itself: only keys of the tenants file get here

    def take(self, tenant: Tenant, key: str, now: float, *, interactive: bool = False) -> float:
        """Count a send. Return 0, or the seconds until one of any priority is admitted; then it is not counted.

        Args:
            now: seconds of a monotonic clock.
            interactive: the send is counted already, and it is interactive.
        """
        found = self._buckets(tenant, key, now)
        wanted = [each.interactive if interactive else each.sends for each in found]
        if _wait(wanted, now) > 0:
            return _wait([bucket for each in found for bucket in each], now)
        for bucket in wanted:
            bucket.take(now)
        return 0.0

    def _buckets(self, tenant: Tenant, key: str, now: float) -> Sequence[_Buckets]:
        own, keys = self._tenants.get(tenant.id), self._keys.get(key)
        if own is None or keys is None:
            limits = self._defaults.of(tenant.send_limits)
            own = self._tenants.setdefault(tenant.id, own or _Buckets.full(limits, 1.0, now))
            keys = self._keys[key] = _Buckets.full(limits, limits.key_share, now)
        return own, keys


def _full(rate: float, burst: float, now: float) -> TokenBucket:
    """Return a bucket that is full: a new process owes nobody a wait."""
    return TokenBucket(rate, max(1.0, burst), now)


def _wait(buckets: Sequence[TokenBucket], now: float) -> float:
    longest = max(bucket.wait(now) for bucket in buckets)
    return longest if longest > _TOLERANCE else 0.0
