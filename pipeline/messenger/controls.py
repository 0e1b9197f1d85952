"""The controls in force: which accounts operators have paused, and which have a limit of their own.

Pure logic: times are arguments. What a look before a call needs is one dict by account, which changes with each control
and not with each look.

A control that this version can't read stops its target. To send in spite of it could break what an operator ordered.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeVar

from pipeline.errors import InvalidRecord, NewerRecord
from pipeline.tenants import Account, Tenants
from pipeline.topics.codec import decode_control
from pipeline.topics.controls import (
    ControlKey,
    ControlKind,
    ControlScope,
    OperatorControl,
    limit_key,
    pause_key,
    tenant_pause_key,
)
from pipeline.topics.keys import account_key
from pipeline.topics.records import ConsumedRecord
from pipeline.topics.versions import require_readable

V = TypeVar("V")
AccountName = tuple[str, str]
"""Provider and account id."""

PAUSED: Final = "its account is paused by an operator"
TENANT_PAUSED: Final = "its tenant is paused by an operator"
UNREADABLE: Final = "this version can't read a control of its account: upgrade this worker"


class Pause(NamedTuple):
    """A pause in force.

    Attributes:
        until: unix seconds; infinity if it does not end by itself.
        cause: text for people.
    """

    until: float
    cause: str

    def left(self, now: float, most: float) -> float:
        """Return the seconds until it ends, at most `most`."""
        return max(0.0, min(self.until - now, most))


class ControlChange(NamedTuple):
    """An account whose controls have changed, and its tenant."""

    tenant_id: str
    account: Account
    rate_changed: bool


class Controls:
    """The controls of all accounts.

    Args:
        tenants: the tenants with their accounts; None: nobody is controlled.

    Attributes:
        pauses: what must not send, by provider and account. One look-up is all that a call costs. Those that have ended
            may still be there.
        unreadable: keys of controls that this version can't read.
    """

    def __init__(self, tenants: Tenants | None = None) -> None:
        self._tenants = tenants
        self._latest: dict[ControlKey, OperatorControl] = {}
        self.unreadable: set[ControlKey] = set()
        self.pauses: dict[AccountName, Pause] = {}
        self._limits: dict[AccountName, OperatorControl] = {}
        self._ends: list[tuple[float, ControlKey]] = []

    # What the messenger asks

    def rate(self, account: Account) -> float:
        """Return the messages that an account may send per second."""
        limit = self._limits.get((account.provider, account.id))
        return limit.messages_per_second or account.rate if limit else account.rate

    def latest(self, key: ControlKey) -> OperatorControl | None:
        """Return the last decision of a key, in force or not."""
        return self._latest.get(key)

    def find(self, key: ControlKey, now: float) -> OperatorControl | None:
        """Return a control that is in force."""
        control = self._latest.get(key)
        return control if control is not None and control.is_active(now) else None

    def count(self, kind: ControlKind, now: float) -> int:
        """Return the number of controls of a kind that are in force."""
        return sum(key.kind == kind and control.is_active(now) for key, control in self._latest.items())

    # What changes them

    def apply(self, record: ConsumedRecord, now: float) -> list[ControlChange]:
        """Apply a record of the topic. Return the accounts that it concerns. Raises `ValueError` for a foreign key."""
        key = ControlKey.decode(record.key)
        self._latest.pop(key, None)
        self.unreadable.discard(key)
        try:
            control = _decode(key, record)
        except (InvalidRecord, NewerRecord):
            self.unreadable.add(key)
        else:
            if control is not None:
                self._latest[key] = control
                if control.is_active(now) and control.until is not None:
                    heapq.heappush(self._ends, (control.ends_at, key))
        return list(self._update(key, now))

    def end_due(self, now: float) -> list[ControlChange]:
        """Return the accounts of the controls that have ended by themselves since the last call."""
        changes: list[ControlChange] = []
        while self._ends and self._ends[0][0] <= now:
            changes += self._update(heapq.heappop(self._ends)[1], now)
        return changes

    @property
    def has_ends(self) -> bool:
        """True if a control will end by itself."""
        return bool(self._ends)

    def _update(self, key: ControlKey, now: float) -> Iterator[ControlChange]:
        """Recompute what holds for each account of a key."""
        for tenant_id, account in self._accounts(key):
            name, key_of_account = (account.provider, account.id), account_key(account.provider, account.id)
            rate = self.rate(account)
            _set(self.pauses, name, self._find_pause(key_of_account, tenant_id, now))
            _set(self._limits, name, self.find(limit_key(key_of_account), now))
            yield ControlChange(tenant_id, account, self.rate(account) != rate)

    def _accounts(self, key: ControlKey) -> Iterator[tuple[str, Account]]:
        if self._tenants is None:
            return
        if key.scope == ControlScope.TENANT:
            tenant = self._tenants.get(key.name)
            yield from ((key.name, account) for account in (tenant.accounts if tenant else ()))
            return
        provider, _, account_id = key.name.partition(":")
        account, owner = self._tenants.account(provider, account_id), self._tenants.owner(provider, account_id)
        if account is not None and owner is not None:
            yield owner.id, account

    def _find_pause(self, account: str, tenant_id: str, now: float) -> Pause | None:
        if self.unreadable and self.is_unreadable(account, tenant_id):
            return Pause(math.inf, UNREADABLE)
        found = [
            Pause(control.ends_at, cause)
            for key, cause in ((pause_key(account), PAUSED), (tenant_pause_key(tenant_id), TENANT_PAUSED))
            if (control := self.find(key, now)) is not None
        ]
        return max(found, default=None)

    def is_unreadable(self, account: str, tenant_id: str) -> bool:
        """Return True if this version can't read a control of an account, or of its tenant."""
        targets = {(ControlScope.ACCOUNT, account), (ControlScope.TENANT, tenant_id)}
        return any((key.scope, key.name) in targets for key in self.unreadable)


NO_CONTROLS: Final = Controls()
"""Nobody is controlled."""


def _decode(key: ControlKey, record: ConsumedRecord) -> OperatorControl | None:
    """Return the control of a record; None if it was deleted, or if it is of a newer kind that may be ignored.

    Raises `NewerRecord` if it needs a newer version, and `InvalidRecord`.
    """
    require_readable(record)
    if record.value is None or key.kind not in {*ControlKind}:
        return None
    control = decode_control(record)
    if control.key != key:
        raise InvalidRecord("a control is about something else than its key")
    return control


def _set(values: dict[AccountName, V], name: AccountName, value: V | None) -> None:
    if value is None:
        values.pop(name, None)
    else:
        values[name] = value
