"""The sandbox's knowledge of users: their names, their last messages, their opt-outs."""

from __future__ import annotations

import math
from typing import Final, Generic, TypeVar

CAP: Final = 100_000
"""Entries of each kind in memory; the oldest are removed first."""

Value = TypeVar("Value")


class Newest(Generic[Value]):
    """The newest `cap` values by key."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._values: dict[tuple[str, str], Value] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: tuple[str, str], default: Value) -> Value:
        return self._values.get(key, default)

    def put(self, key: tuple[str, str], value: Value) -> None:
        self.remove(key)
        self._values[key] = value
        if len(self._values) > self._cap:
            del self._values[next(iter(self._values))]

    def remove(self, key: tuple[str, str]) -> None:
        self._values.pop(key, None)


class People:
    """Users of all numbers. An account is named with its provider, e.g. `cloud:106540352242922`."""

    def __init__(self, cap: int = CAP) -> None:
        self._phones: Newest[str] = Newest(cap)
        self._wrote: Newest[float] = Newest(cap)
        self._opted_out: Newest[bool] = Newest(cap)

    def person(self, business: str, recipient: str) -> str:
        """Return a user's only name: the phone number, if a message has named it beside the user id."""
        return self._phones.get((business, recipient), recipient)

    def named(self, business: str, phone: str, user_id: str | None) -> None:
        """Remember that both are one user. User ids are those of a business; None if there is none."""
        if user_id is not None:
            self._phones.put((business, user_id), phone)

    def wrote(self, account: str, person: str, now: float) -> None:
        self._wrote.put((account, person), now)

    def since_last_message(self, account: str, person: str, now: float) -> float:
        """Return the seconds since a user's last message; infinity if there is none."""
        return now - self._wrote.get((account, person), -math.inf)

    def prefers(self, account: str, person: str, *, marketing: bool) -> None:
        """Set a user's preference on marketing messages."""
        if marketing:
            self._opted_out.remove((account, person))
        else:
            self._opted_out.put((account, person), True)

    def has_opted_out(self, account: str, person: str) -> bool:
        return self._opted_out.get((account, person), False)
