"""One call to a provider: its connection slot, and what its end says about account and host."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from pipeline.errors import KeyUnavailable
from pipeline.messenger.availability import AvailabilityBreaker
from pipeline.messenger.routes import SendRoute
from pipeline.messenger.slots import ConnectionSlot, ConnectionSlots
from pipeline.messenger.waking import Sleep, sleep_until_woken, wait_briefly
from pipeline.providers.base import SendAttempt

BRIEF_WAIT: Final = 1.0
"""Seconds of a wait for a connection slot that count as work in progress, so that a rebalance waits for them."""
SLOT_REVIEW: Final = 30.0
"""Seconds after which a wait for a connection slot begins anew, as a sign of life."""


class ProviderCall:
    """The right to make one call: a connection slot, and the breakers whose probe the call is.

    As a context manager it gives back what `end` has not. Ending it twice has no effect.

    Attributes:
        permitted_at: time of its permit.
    """

    __slots__ = ("_ended", "_now", "_probed", "_slot", "_slots", "permitted_at", "route")

    def __init__(self, slots: ConnectionSlots, route: SendRoute, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns seconds of a clock that never jumps."""
        self._now = now
        self._slots = slots
        self.route = route
        self._slot: ConnectionSlot | None = None
        self._probed: tuple[AvailabilityBreaker, ...] = ()
        self.require_available()
        self._ended = False
        self.permitted_at = self._now()
        route.calls += 1

    def __enter__(self) -> ProviderCall:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def require_available(self) -> None:
        """Raise `KeyUnavailable` while the account or its host is held. If a probe is due, this call becomes it."""
        availability = self.route.availability
        if self._probed or not availability.is_held:
            return
        if delay := availability.delay(self._now()):
            raise _held(self.route, delay)
        self._probed = availability.begin()

    @property
    def has_slot(self) -> bool:
        return self._slot is not None and self._slot.held

    def take_slot(self) -> bool:
        """Take a connection slot if one is free, else a place in the queue for one. Return True if it has a slot."""
        self._slot = self._slots.acquire(self.route.slots)
        return self._slot.held

    async def wait_for_slot(self, wait: Sleep) -> float:
        """Wait in the queue, and return the seconds of waiting.

        Afterwards the call may have no slot (`has_slot`) because something else has changed. Raises `KeyUnavailable` if
        the account or its host is held by then.
        """
        since, slot = self._now(), self._slot
        if slot is not None and slot.waits:
            await wait_briefly(slot, BRIEF_WAIT)
        while slot is not None and slot.waits:
            await sleep_until_woken(slot, wait, SLOT_REVIEW)
        self.require_available()
        return self._now() - since

    def release_slot(self) -> None:
        """Give the slot back, or leave the queue for one."""
        if self._slot is not None:
            self._slot.release()

    def conclude(self, attempt: SendAttempt) -> bool:
        """Note what the call says about its account and host. Return True if one of them is held from now on."""
        availability = self.route.availability
        if attempt.answered:
            self._slots.answered(self.route.slots)
            if not availability.has_failures:
                return False
            change = availability.answered(self._now())
        else:
            share = random.random()  # noqa: S311 (jitter, not a secret)
            change = availability.unanswered(self._probed, self._now(), share)
        self._probed = ()
        if not (change.account or change.host):
            return False
        self.route.log_change(change)
        return not change.available

    def end(self) -> None:
        """Let the next call be the probe if this one was not made, and give the slot back."""
        if self._ended:
            return
        self._ended = True
        self.route.calls -= 1
        for breaker in self._probed:
            breaker.abandon_probe()
        self.release_slot()


def _held(route: SendRoute, delay: float) -> KeyUnavailable:
    what = "host" if route.host.availability.breaker.open else "account"
    cause = f"calls of this {what} get no answer: waiting for a probe"
    return KeyUnavailable(cause, delay, whole_group=True, held_by="unanswered")
