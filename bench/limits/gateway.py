"""A provider in virtual time: it answers after 100 to 300 ms, and judges every message by the sandbox's own limits."""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from aiohttp import ClientSession

from bench.commands import number_of
from pipeline.errors import UsageError
from pipeline.messenger.connections import require_write_guard
from pipeline.providers.base import AttemptStatus, SendAttempt, Slice, WebhookRequest
from pipeline.providers.cloud import error_codes
from pipeline.sandbox.limits import AccountKey, ExceededLimit, LimitEnforcer, SandboxLimits
from pipeline.tenants import Account, Tenants
from pipeline.topics.commands import Command, CommandKind, Priority
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.records import ConsumedRecord

LATENCY: Final = (0.1, 0.3)
"""Seconds from a call to its answer, the shortest and the longest. Half of it is the way there."""
THROTTLED: Final = 130429
PAIR_LIMIT: Final = 131056
NOTED: Final = 1.0
"""Seconds after an answer in which it is noted, unless its messenger dies."""


@dataclass(slots=True)
class Tally:
    """The messages of one account.

    Attributes:
        calls: calls that were begun, of bulk commands.
        times: arrival of each accepted message, in seconds of virtual time.
        inbound: arrival of each message of a person.
        violations: the messages that exceeded a limit: when, and which limit.
    """

    calls: int = 0
    times: array[float] = field(default_factory=lambda: array("d"))
    inbound: array[float] = field(default_factory=lambda: array("d"))
    violations: list[tuple[float, ExceededLimit]] = field(default_factory=list)

    def between(self, begin: float, end: float) -> int:
        """Return the number of accepted messages of a time."""
        return sum(begin <= at < end for at in self.times)

    def inbound_between(self, begin: float, end: float) -> int:
        return sum(begin <= at < end for at in self.inbound)


class Gateway:
    """The provider of all accounts.

    Args:
        limits: the limits of each account.
        seed: the beginning of all chance.
        latency: seconds from a call to its answer, the shortest and the longest.

    Attributes:
        accepted: how often each command was accepted, by its number.
        on_call: called with each command, and its number, when its call is written.
        on_status: called with an accepted command, and its message's id, for a status that somebody may need. Statuses
            of messages whose answers were noted say nothing new, and are left out.
    """

    name = "cloud"
    kinds = frozenset(CommandKind)
    codes = error_codes.TABLE

    def __init__(self, limits: Mapping[AccountKey, SandboxLimits], seed: int, latency: tuple[float, float]) -> None:
        self._enforcer = LimitEnforcer(SandboxLimits(), limits)
        self._random = Random(seed)
        self._latency = latency
        self.tallies = {account: Tally() for _, account in limits}
        self.accepted = bytearray()
        self.on_call: Callable[[Command, int], None] = lambda *_: None
        self.on_status: Callable[[Command, str], None] = lambda *_: None
        self._answers: deque[tuple[float, Command, str]] = deque()

    def expect(self, count: int) -> range:
        """Return the numbers of so many further commands."""
        numbers = range(len(self.accepted), len(self.accepted) + count)
        self.accepted += bytes(count)
        return numbers

    def receive(self, account: str, person: str) -> None:
        """Count a message of a person."""
        now = asyncio.get_running_loop().time()
        self._enforcer.receive(self.name, account, person, now)
        self.tallies[account].inbound.append(now)

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> SendAttempt:
        """Send a message. What was written arrives, whatever becomes of who wrote it."""
        require_write_guard()
        number = number_of(command)
        self.on_call(command, number)
        self.tallies[account.id].calls += command.priority is Priority.BULK
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[SendAttempt] = loop.create_future()
        loop.call_later(self._way(), self._arrive, command, number, answered)
        return await answered

    def _way(self) -> float:
        return self._random.uniform(*self._latency) / 2

    def _arrive(self, command: Command, number: int, answered: asyncio.Future[SendAttempt]) -> None:
        loop = asyncio.get_running_loop()
        attempt = self._judge(command, number, loop.time())
        loop.call_later(self._way(), self._answer, command, attempt, answered)

    def _judge(self, command: Command, number: int, now: float) -> SendAttempt:
        tally = self.tallies[command.account]
        exceeded = self._enforcer.check(self.name, command.account, command.recipient, now)
        if exceeded is not None:
            tally.violations.append((now, exceeded))
            code = PAIR_LIMIT if exceeded.kind == "pair" else THROTTLED
            return SendAttempt(AttemptStatus.RETRYABLE, error_code=code)
        self.accepted[number] += 1
        tally.times.append(now)
        return SendAttempt(AttemptStatus.ACCEPTED, f"wamid.{number}")

    def _answer(self, command: Command, attempt: SendAttempt, answered: asyncio.Future[SendAttempt]) -> None:
        if not attempt.message_id:
            pass
        elif answered.done():
            self.on_status(command, attempt.message_id)
        else:
            self._remember(command, attempt.message_id)
        if not answered.done():
            answered.set_result(attempt)

    def _remember(self, command: Command, message_id: str) -> None:
        now = asyncio.get_running_loop().time()
        self._answers.append((now, command, message_id))
        while self._answers[0][0] < now - NOTED:
            self._answers.popleft()

    def report(self) -> None:
        """Send the statuses of what was just answered: who heard it has died, perhaps before it was noted."""
        while self._answers:
            _, command, message_id = self._answers.popleft()
            self.on_status(command, message_id)

    def contact(self, recipient: str) -> str:
        return recipient

    # The ingress's part, which nothing here uses

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        raise UsageError("this gateway has no webhooks")

    def split(self, request: WebhookRequest, tenants: Tenants) -> list[Slice]:
        raise UsageError("this gateway has no webhooks")

    def parse(self, record: ConsumedRecord) -> list[ParsedEvent]:
        raise UsageError("this gateway has no webhooks")
