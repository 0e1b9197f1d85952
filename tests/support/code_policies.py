"""Error codes against the messenger: one is injected, and what it did to the command and its account is observed.

The provider's own client calls a server over HTTP: the sandbox, or one that answers as it is told. Time is virtual. A
messenger is made for each call, as after a restart, so only what is durable counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

import orjson

from pipeline.errors import RetryAfter
from pipeline.messenger.call import ProviderCall
from pipeline.messenger.command_state import decode_due, due_key
from pipeline.messenger.connections import WriteGuard
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.executor import CommandExecutor
from pipeline.messenger.limits.pairs import PairLimit
from pipeline.messenger.slots import SlotBounds
from pipeline.providers import PROVIDERS
from pipeline.providers.base import CodePolicies, SendAttempt
from pipeline.providers.code_policy import CodePolicy, CodeTable
from pipeline.sandbox.config import SAMPLE_ACCOUNTS
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord
from pipeline.testing.provider_calls import sample_command
from pipeline.topics.commands import Command
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from pipeline.topics.records import ConsumedRecord

TRIES: Final = 6
"""Calls after which a command that is still tried again counts as retried until it expires."""
START: Final = 1_790_000_000.0
"""The unix time at which every world begins."""
OTHER: Final = "15559998888"
"""A recipient whose sends no fault hits."""
ACCOUNTS: Final = {each.provider: each for each in SAMPLE_ACCOUNTS}


def table_of(provider: str) -> CodeTable:
    found = PROVIDERS[provider]
    assert isinstance(found, CodePolicies)
    return found.codes


def one_code_each(policies: Mapping[int, CodePolicy]) -> Iterator[tuple[int, CodePolicy]]:
    """Yield every row once, with its first code and, if more codes share it, its last."""
    codes: dict[int, list[int]] = {}
    for code in sorted(policies):
        codes.setdefault(id(policies[code]), []).append(code)
    for found in codes.values():
        yield from ((code, policies[code]) for code in {found[0], found[-1]})


class Done(NamedTuple):
    """What the messenger did about a code.

    Attributes:
        calls: calls of the provider.
        delays: seconds from each call to the time when the next was due.
        end: status of the outcome; None if the command still waits.
        code: error code of the outcome.
        paused: seconds after the first call for which the account's other messages wait.
    """

    calls: int
    delays: tuple[float, ...]
    end: OutcomeStatus | None
    code: int | None
    paused: float


class CountingDispatcher(Dispatcher):
    """Counts the calls of the provider."""

    calls = 0

    async def attempt(
        self, command: Command, guard: WriteGuard | None = None, call: ProviderCall | None = None
    ) -> SendAttempt:
        self.calls += 1
        return await super().attempt(command, guard, call)


class World:
    """The disk and the clock of a messenger with one account. It fits `CommandTable` and `ExecutionContext`."""

    def __init__(self, provider: str, url: str) -> None:
        self.now = START
        self.record: ConsumedRecord = TestRecord(None)
        self.rows: dict[str, bytes] = {}
        self._provider, self._account = provider, ACCOUNTS[provider]
        account = {"provider": provider, "id": self._account.id, "token": self._account.token, "base_url": url}
        tenant = {"id": "acme", "accounts": [account | {"limits": {"messages_per_second": 80}}]}
        self._tenants = Tenants(TenantsFile.model_validate({"tenants": [tenant]}))

    def get(self, key: str) -> bytes | None:
        return self.rows.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.rows[key] = value

    async def wait(self, seconds: float) -> None:
        self.now += seconds

    async def persist(self) -> None:
        """Rows are durable at once."""

    def owned(self) -> bool:
        return True

    def command(self, command_id: str, recipient: str) -> Command:
        return sample_command(
            self._provider,
            command_id=command_id,
            tenant_id="acme",
            account=self._account.id,
            recipient=recipient,
            created_at=datetime.fromtimestamp(START, UTC),
        )

    def due(self, name: str) -> float:
        return decode_due(self.get(due_key(name)))

    def person_due(self, account_key: str) -> float:
        """Return the time until which messages to the person of this world wait for their pair; 0 if they don't."""
        row = next((row for key, row in self.rows.items() if key.startswith(f"pair:{account_key}:")), None)
        return float(orjson.loads(row)[1]) - (PairLimit().burst - 1) * PairLimit().interval if row else 0.0

    async def send(self, command: Command) -> tuple[Outcome | None, int]:
        """Give the command to a new messenger. Return its outcome, None while it waits, and the number of calls."""
        dispatcher = CountingDispatcher(PROVIDERS, self._tenants, SlotBounds(1, 1, 1), now=lambda: self.now)
        executor = CommandExecutor(dispatcher, reconcile_window=1e9, now=lambda: self.now)
        try:
            return await executor.execute(command, self, self), dispatcher.calls
        except RetryAfter:
            return None, dispatcher.calls
        finally:
            await dispatcher.close()

    async def holds_others(self) -> bool:
        """Return True if a message to somebody else is not called. The world is afterwards as it was before."""
        rows, now = dict(self.rows), self.now
        _, calls = await self.send(self.command("cmd-other", OTHER))
        self.rows, self.now = rows, now
        return calls == 0

    async def pause(self, account_key: str) -> float:
        """Return the seconds for which the account's other messages wait; 0 if they don't."""
        if not await self.holds_others():
            return 0.0
        begin, end = self.now, self.due(account_key)
        self.now = end - 0.001
        assert await self.holds_others()
        self.now = end
        assert not await self.holds_others()
        self.now = begin
        return end - begin


async def inject(provider: str, url: str, recipient: str) -> Done:
    """Send a command to `recipient`, whose sends fail at `url`, until it has its outcome or `TRIES` calls are made."""
    world = World(provider, url)
    command = world.command("cmd-1", recipient)
    outcome, calls = await world.send(command)
    paused = await world.pause(command.account_key)
    delays: list[float] = []
    while outcome is None and len(delays) < TRIES - 1 and (due := world.due(command.command_id)) > world.now:
        delays.append(due - world.now)
        world.now = due - 0.001
        assert (await world.send(command))[1] == 0, "called before it is due"
        world.now = max(due, world.due(command.account_key), world.person_due(command.account_key)) + 0.001
        outcome, calls = await world.send(command)
        assert calls == 1, "not called when it is due"
    end, code = (outcome.status, outcome.error_code) if outcome else (None, None)
    return Done(len(delays) + calls, tuple(delays), end, code, paused)
