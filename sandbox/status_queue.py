"""A queue of pending statuses, and the workers that post them.

The next status of a message is due only after the previous one was accepted, so the statuses of one message keep their
order, however often they are retried.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from pipeline.sandbox.config import SandboxAccount, SandboxConfig
from pipeline.sandbox.errors import IngressAway
from pipeline.sandbox.statuses import StatusStep
from pipeline.sandbox.webhooks import IngressClient, SignedWebhook

logger: Final = logging.getLogger(__name__)

TAKEN: Final = 200
"""The status of a successful post. The provider retries after any other one."""


@dataclass(slots=True, eq=False)
class Update:
    """The pending statuses of one accepted message.

    Attributes:
        fields: fields of all statuses of this message, in the provider's form.
        accepted_at: seconds since the epoch; the time of each status follows from it, on every attempt.
        position: index of the next step.
        give_up_at: event loop time, set with the first attempt at a step.
    """

    account: SandboxAccount
    message_id: str
    fields: dict[str, Any]
    steps: tuple[StatusStep, ...]
    accepted_at: float
    position: int = 0
    attempts: int = 0
    give_up_at: float = 0.0

    @property
    def step(self) -> StatusStep:
        return self.steps[self.position]

    @property
    def at(self) -> float:
        return self.accepted_at + self.step.after

    def advance(self) -> bool:
        """Go to the next step; return False if there is none."""
        self.position += 1
        self.attempts = 0
        return self.position < len(self.steps)


Render = Callable[[Sequence[Update]], SignedWebhook]
"""A function that returns the webhook with the current step of each update; all have one provider and one secret."""
OnDelivered = Callable[[Update], None]
"""A function that is told of an update whose current step the ingress has taken."""


def backoff(attempts: int) -> float:
    """Return seconds until the next attempt: from 0.1 to 5, doubling, with jitter."""
    return min(5.0, 0.1 * 2.0 ** min(attempts - 1, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 (not a secret)


FIXED_RETRIES: Final = {"wawp": (5, 5.0), "waha": (15, 2.0)}
"""Retries and seconds between them, for gateways that then drop the event: their documented defaults."""


class PostingPause:
    """Pauses posting with exponential backoff while the ingress is unavailable."""

    def __init__(self) -> None:
        self._failures = 0
        self._open = asyncio.Event()
        self._open.set()

    async def wait(self) -> None:
        await self._open.wait()

    def failed(self, reason: str) -> None:
        if not self._open.is_set():
            return  # one of the attempts that were in flight when the pause began
        if not self._failures:
            logger.warning("statuses_paused: %s", reason)
        self._failures += 1
        self._open.clear()
        asyncio.get_running_loop().call_later(backoff(self._failures), self._open.set)

    def succeeded(self) -> None:
        if self._failures:
            logger.warning("statuses_resumed")
        self._failures = 0


class StatusQueue:
    """Posts statuses to the ingress, at least once, within `give_up_after` seconds."""

    def __init__(
        self, config: SandboxConfig, ingress: IngressClient, render: Render, on_delivered: OnDelivered = lambda _: None
    ) -> None:
        self._config = config
        self._ingress = ingress
        self._render = render
        self._on_delivered = on_delivered
        self._ready: asyncio.Queue[Update] = asyncio.Queue()
        self._gate = PostingPause()
        self.pending = self.delivered = self.retried = self.given_up = self.left_out = 0

    def counts(self) -> dict[str, int]:
        """Return counts: `pending` and `left_out` count messages, the others statuses."""
        names = ("pending", "delivered", "retried", "given_up", "left_out")
        return {name: getattr(self, name) for name in names}

    def add(self, update: Update) -> None:
        if not update.steps:
            return
        if self.pending >= self._config.status_cap:
            self.left_out += 1
            return
        self.pending += 1
        self._later(update, update.step.after)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Post statuses inside the block. Pending ones are discarded at its end."""
        workers = [asyncio.create_task(self._work()) for _ in range(self._config.status_concurrency)]
        try:
            yield
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            batch = self._batch(await self._ready.get())
            await self._gate.wait()
            try:
                await self._deliver(batch)
            except Exception:
                logger.exception("status_webhook_failed")
                for update in batch:
                    self._give_up(update)

    def _batch(self, first: Update) -> list[Update]:
        """Return `first` and other ready updates that may share its webhook."""
        batch = [first]
        while len(batch) < self._limit(first) and not self._ready.empty():
            update = self._ready.get_nowait()
            if _sender(update) != _sender(first):
                self._ready.put_nowait(update)
                break
            batch.append(update)
        return batch

    def _limit(self, first: Update) -> int:
        """Return the maximum number of statuses in a webhook; only the Cloud API allows more than one."""
        return self._config.status_batch if first.account.provider == "cloud" else 1

    async def _deliver(self, batch: list[Update]) -> None:
        follow_up = self._advance if await self._is_accepted(self._render(batch)) else self._retry
        for update in batch:
            follow_up(update)

    async def _is_accepted(self, webhook: SignedWebhook) -> bool:
        try:
            status = await self._ingress.post(webhook)
        except IngressAway as error:
            self._gate.failed(str(error))
            return False
        if status == 503:
            self._gate.failed("the ingress answers 503")
        elif status == TAKEN:
            self._gate.succeeded()
        return status == TAKEN

    def _advance(self, update: Update) -> None:
        self.delivered += 1
        self._on_delivered(update)
        if update.advance():
            self._later(update, update.at - time.time())
        else:
            self.pending -= 1

    def _retry(self, update: Update) -> None:
        update.attempts += 1
        if update.attempts == 1:
            update.give_up_at = _now() + self._config.give_up_after
        tries, pause = FIXED_RETRIES.get(update.account.provider, (None, backoff(update.attempts)))
        if _now() >= update.give_up_at or (tries is not None and update.attempts > tries):
            self._give_up(update)
            return
        self.retried += 1
        self._later(update, pause)

    def _give_up(self, update: Update) -> None:
        self.given_up += len(update.steps) - update.position
        self.pending -= 1

    def _later(self, update: Update, delay: float) -> None:
        asyncio.get_running_loop().call_later(max(0.0, delay), self._ready.put_nowait, update)


def _sender(update: Update) -> tuple[str, str]:
    return update.account.provider, update.account.webhook_secret


def _now() -> float:
    return asyncio.get_running_loop().time()
