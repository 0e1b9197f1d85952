"""One bucket for each sending account."""

from __future__ import annotations

from pipeline.messenger.bucket import TokenBucket
from pipeline.tenants import Account
from pipeline.topics.keys import account_key


class Limiter:
    """Keeps every account under its rate, in messages a second.

    A quarter of a second's worth may go at once after a quiet time. The provider counts when requests arrive, not
    when they leave; the rest of its own burst is room for what the network bunches together. The whole promise holds
    while one worker sends for an account, which the partition key of commands sees to.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, TokenBucket] = {}

    def clear(self) -> None:
        """Forgets every bucket: the next ones start empty, as after a restart."""
        self._buckets.clear()

    def take(self, account: Account, now: float) -> float:
        """Reserves the account's next permit and returns the seconds to wait for it."""
        return self._bucket(account, now).take(now)

    def wait(self, account: Account, now: float) -> float:
        """The seconds that `take` would return, without taking."""
        return self._bucket(account, now).wait(now)

    def slow_down(self, account: Account, now: float, seconds: float) -> None:
        """Stops the account for `seconds`: the provider said that it is over its limit (Cloud API: 130429)."""
        self._bucket(account, now).slow_down(now, seconds)

    def _bucket(self, account: Account, now: float) -> TokenBucket:
        key = account_key(account.provider, account.id)
        if key not in self._buckets:
            rate = account.rate
            self._buckets[key] = TokenBucket(rate, max(1.0, rate / 4), now)
        return self._buckets[key]
