"""One token bucket per sending account."""

from __future__ import annotations

import math

from pipeline.messenger.bucket import TokenBucket
from pipeline.tenants import Account
from pipeline.topics.keys import account_key


class Limiter:
    """Keeps every account below its rate, in messages per second.

    After an idle time, the messages of a quarter of a second may be sent at once. The provider counts requests when
    they arrive, so the rest of its own burst is reserved for requests that the network bunches together.

    The limit holds only while one worker sends for an account. The partition key of commands guarantees that.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, TokenBucket] = {}

    def clear(self) -> None:
        """Remove every bucket. The next ones start empty, as after a restart."""
        self._buckets.clear()

    def reserve(self, account: Account, now: float, within: float = math.inf) -> float:
        """Reserve the account's next permit, if it is valid within so many seconds; return the seconds until then."""
        return self.bucket(account, now).reserve(now, within)

    def wait(self, account: Account, now: float) -> float:
        """Return the seconds that `reserve` would return, without reserving."""
        return self.bucket(account, now).wait(now)

    def slow_down(self, account: Account, now: float, seconds: float) -> None:
        """Stop the account for `seconds`, because the provider answered that it is over its limit (Meta: 130429)."""
        self.bucket(account, now).slow_down(now, seconds)

    def restart(self, account: Account, now: float) -> None:
        """Give the account an empty bucket. The permits of the one before are void."""
        if self._buckets.pop(_key(account), None):
            self.bucket(account, now)

    def bucket(self, account: Account, now: float) -> TokenBucket:
        """Return the account's bucket. Permits count only while it is the same."""
        key = _key(account)
        if key not in self._buckets:
            rate = account.rate
            self._buckets[key] = TokenBucket(rate, max(1.0, rate / 4), now)
        return self._buckets[key]


def _key(account: Account) -> str:
    return account_key(account.provider, account.id)
