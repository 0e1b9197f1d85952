"""Breakers of accounts and hosts that do not answer. They hold calls until a probe shows that somebody answers again.

An account whose calls get no answer, a few in a row, is held: its gateway is away, or hangs. A host is held once the
calls of several of its accounts get none. A call that is answered, with success or with an error, proves the opposite.

One breaker:

    closed ──failures in a row──▶ open ──probe is due──▶ one probe ──answered──▶ closed
                                   ▲                         │
                                   └───────no answer─────────┘  (the next probe is due later)

This is pure logic: time and randomness are arguments. The state is this process's alone, and a rebalance resets it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.backoff import RetryPolicy

FAILURES: Final = 5
"""Calls without an answer, in a row, that open a breaker."""
HOST_ACCOUNTS: Final = 3
"""Accounts that these calls must belong to before they say something about their host."""
PROBES: Final = RetryPolicy(max_attempts=None, initial_delay=2.0, max_delay=60.0)
"""Pauses until the next probe. A probe may leave its command in doubt, so they are longer than those of a retry."""
PROBE_WAIT: Final = 1.0
"""Seconds after which calls that are held by a running probe look for its result."""


class AvailabilityBreaker:
    """Counts the calls of an account or of a host that got no answer, in a row.

    Args:
        min_accounts: the number of accounts that must have failed, beside `FAILURES`, before it opens.

    Attributes:
        failures: calls without an answer, in a row.
        open: True while calls are held.
    """

    __slots__ = ("_failed_accounts", "_min_accounts", "_openings", "_probe_at", "_probing", "failures", "open")

    def __init__(self, min_accounts: int = 1) -> None:
        self._min_accounts = min_accounts
        self._failed_accounts: set[str] = set()
        self.reset()

    def reset(self) -> None:
        """Close it, and forget the failures."""
        self.open = False
        self.failures = self._openings = 0
        self._failed_accounts.clear()
        self._probe_at = 0.0
        self._probing = False

    def delay(self, now: float) -> float:
        """Return the seconds until a call may be made or asked for again; 0: now, as the probe if it is open."""
        if not self.open:
            return 0.0
        return PROBE_WAIT if self._probing else max(0.0, self._probe_at - now)

    def begin_probe(self) -> None:
        """Hold all other calls until `succeeded`, `failed` or `abandon_probe`."""
        self._probing = True

    def abandon_probe(self) -> None:
        """Let the next call be the probe: this one was not made."""
        self._probing = False

    def probe_at(self, at: float) -> None:
        """Let a probe be due at `at`, unless one is due earlier."""
        self._probe_at = min(self._probe_at, at)

    def succeeded(self) -> bool:
        """Note an answer. Return True if that closes it."""
        closes = self.open
        if self.failures:
            self.reset()
        return closes

    def failed(self, account: str, now: float, random_share: float, *, is_probe: bool = False) -> bool:
        """Note that a call got no answer. Return True if that opens it.

        Of the calls that end while it is open only the probe counts: the others began before.
        """
        self.failures += 1
        if len(self._failed_accounts) < self._min_accounts:
            self._failed_accounts.add(account)
        opens = not self.open and self.failures >= FAILURES and len(self._failed_accounts) >= self._min_accounts
        if opens or (is_probe and self.open):
            self.open = True
            self._openings += 1
            self._probe_at = now + PROBES.delay(self._openings, random_share)
            self._probing = False
        return opens


class HostAvailability:
    """The breaker of a host.

    Attributes:
        held: its accounts whose own breakers are open.
    """

    __slots__ = ("breaker", "held")

    def __init__(self) -> None:
        self.breaker = AvailabilityBreaker(HOST_ACCOUNTS)
        self.held: set[AccountAvailability] = set()


class Change(NamedTuple):
    """The breakers that a call's end opened (`available` is False) or closed."""

    available: bool
    account: bool
    host: bool


class AccountAvailability:
    """The breakers that a call of one account must find closed: the account's own and its host's."""

    __slots__ = ("_name", "breaker", "host")

    def __init__(self, name: str, host: HostAvailability) -> None:
        self._name = name
        self.host = host
        self.breaker = AvailabilityBreaker()

    @property
    def is_held(self) -> bool:
        return self.breaker.open or self.host.breaker.open

    @property
    def has_failures(self) -> bool:
        """True if an answer changes something. Nearly all calls are answered, and need no more than this."""
        return self.breaker.failures > 0 or self.host.breaker.failures > 0

    def delay(self, now: float) -> float:
        """Return the seconds for which no call of the account may be made; 0: one may."""
        if not self.is_held:
            return 0.0
        return self.host.breaker.delay(now) or self.breaker.delay(now)

    def begin(self) -> tuple[AvailabilityBreaker, ...]:
        """Begin a call that `delay` allows. Return the open breakers, whose probe it is."""
        if not self.is_held:
            return ()
        probed = tuple(breaker for breaker in (self.host.breaker, self.breaker) if breaker.open)
        for breaker in probed:
            breaker.begin_probe()
        return probed

    def answered(self, now: float) -> Change:
        """Note an answer to a call of the account."""
        change = Change(True, self.breaker.succeeded(), self.host.breaker.succeeded())
        if change.account:
            self.host.held.discard(self)
        if change.host:  # the other accounts may have failed for their host alone: they need not wait to find out
            for account in self.host.held:
                account.breaker.probe_at(now)
        return change

    def unanswered(self, probed: tuple[AvailabilityBreaker, ...], now: float, random_share: float) -> Change:
        """Note that a call of the account got no answer. `probed`: what `begin` returned for it."""
        opened = [
            breaker.failed(self._name, now, random_share, is_probe=breaker in probed)
            for breaker in (self.breaker, self.host.breaker)
        ]
        if opened[0]:
            self.host.held.add(self)
        return Change(False, *opened)

    def reset(self) -> None:
        """Close both breakers."""
        self.breaker.reset()
        self.host.breaker.reset()
        self.host.held.discard(self)
