"""Runs a handler over events without Kafka and Redis, and shows what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from pipeline.handlers import EventHandler, HandlerRunner
from pipeline.providers import PROVIDERS
from pipeline.settings import Settings
from pipeline.state import CacheFactory, CacheScope, MemoryStore
from pipeline.testing.events import USER
from pipeline.testing.webhooks import CLOUD_TENANT, sample_tenants
from topics.commands import Command, CommandKind
from topics.events import EventBase

Result = TypeVar("Result")


class HandlerDriver:
    """One handler, run as its worker runs it: caches and sends of an event take effect together, once, or not at all.

    >>> driver = HandlerDriver(MyHandler())
    >>> driver.handle(incoming_text("hi", from_="15550001111"))
    >>> assert driver.texts == ["Hello!"]

    Args:
        handler: the object to be tested.
        timeout: seconds that one event may take.

    Attributes:
        sent: every command so far, in order, read marks included.
    """

    def __init__(self, handler: EventHandler, timeout: float = 30.0) -> None:
        self.handler = handler
        self.sent: list[Command] = []
        self._now = 0.0
        self._store = MemoryStore(lambda: self._now)
        self._settings = Settings(handler_timeout=timeout, cache="memory")

    def handle(self, *events: EventBase) -> list[Command]:
        """Handles events one after the other; gives what was sent for them. Raises what the handler raises."""
        return self.run(self._handle(events))

    def handle_at_once(self, *events: EventBase) -> list[Command]:
        """Handles events side by side, as those of different conversations are."""
        return self.run(self.handle_all(*events))

    async def handle_all(self, *events: EventBase) -> list[Command]:
        """The same, for tests that are coroutines."""
        runner = self._runner()
        return self._noted(await asyncio.gather(*(runner.run(event) for event in events)))

    @property
    def texts(self) -> list[str]:
        """The texts of the messages so far; of messages with buttons and the like their bodies."""
        return [command.body["text"] for command in self.sent if "text" in command.body]

    def of_kind(self, kind: CommandKind | str) -> list[Command]:
        return [command for command in self.sent if command.kind == kind]

    def advance(self, seconds: float) -> None:
        """Lets time pass for the caches: what has expired by then is gone."""
        self._now += seconds

    def caches(self, user_id: str = USER, tenant_id: str = CLOUD_TENANT) -> CacheFactory:
        """A user's caches as a handler sees them; use them with `run`."""
        return CacheFactory(lambda: CacheScope(self._store, tenant_id, user_id))

    def user_data(self, key: str, user_id: str = USER) -> dict[str, Any] | None:
        """One row of a user's cache."""
        row: dict[str, Any] | None = self.run(self.caches(user_id).create_user_cache().get(key))
        return row

    def state(self, key: str, user_id: str = USER) -> dict[str, Any] | None:
        """One row of a conversation's state."""
        row: dict[str, Any] | None = self.run(self.caches(user_id).create_state_cache().get(key))
        return row

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Awaits something, from a test that is no coroutine itself."""
        return asyncio.run(coroutine)

    async def _handle(self, events: tuple[EventBase, ...]) -> list[Command]:
        runner = self._runner()
        return self._noted([await runner.run(event) for event in events])

    def _runner(self) -> HandlerRunner:
        abilities = {name: provider.kinds for name, provider in PROVIDERS.items()}
        return OneHandler(self.handler, self._settings, sample_tenants(), self._store, abilities=abilities)

    def _noted(self, results: list[list[Command]]) -> list[Command]:
        """An event that was handled before gives its commands again; the messenger knows them by their ids."""
        made = [command for commands in results for command in commands]
        known: dict[str, Command] = {}
        for command in [*self.sent, *made]:
            known.setdefault(command.command_id, command)
        self.sent = list(known.values())
        return made


class OneHandler(HandlerRunner):
    """A runner whose tenants all have one handler."""

    def __init__(self, handler: EventHandler, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._one = handler

    def handler(self, tenant_id: str) -> EventHandler:
        return self._one
