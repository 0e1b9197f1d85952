"""Runs a handler over events, in memory or on the real stack, and collects its commands and rows."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from pipeline.handlers import EventHandler
from pipeline.state import CacheFactory, CacheScope
from pipeline.testing.environment import environment_for
from pipeline.testing.events import USER
from pipeline.testing.webhooks import CLOUD_TENANT
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events import EventBase

Result = TypeVar("Result")


class HandlerDriver:
    """One handler, run as its worker runs it: caches and sends of an event take effect together, once, or not at all.

    >>> driver = HandlerDriver(MyHandler())
    >>> driver.handle(incoming_text("hi", from_="15550001111"))
    >>> assert driver.texts == ["Hello!"]

    It needs neither Kafka nor Redis. With `PIPELINE_TESTING=stack` the same test runs on both, with a worker process
    that imports the handler by its path; `UsageError` says which handler can't be imported, and what to do.

    Args:
        handler: the object to be tested.
        timeout: seconds that one event may take.

    Attributes:
        sent: every command so far, in order, read marks included.
    """

    def __init__(self, handler: EventHandler, timeout: float = 30.0) -> None:
        self.handler = handler
        self.sent: list[Command] = []
        self._environment = environment_for(handler, timeout)

    def handle(self, *events: EventBase) -> list[Command]:
        """Handle events one after the other and return their commands. Raises the handler's errors."""
        return self._record(self.run(self._environment.handle(events, at_once=False)))

    def handle_at_once(self, *events: EventBase) -> list[Command]:
        """Handle events side by side, as those of different conversations are, and return their commands."""
        return self.run(self.handle_all(*events))

    async def handle_all(self, *events: EventBase) -> list[Command]:
        """Handle events side by side, for tests that are coroutines."""
        return self._record(await self._environment.handle(events, at_once=True))

    @property
    def texts(self) -> list[str]:
        """The texts of all messages so far; for messages with buttons and the like their bodies."""
        return [command.body["text"] for command in self.sent if "text" in command.body]

    def of_kind(self, kind: CommandKind | str) -> list[Command]:
        """Return the commands of one kind so far."""
        return [command for command in self.sent if command.kind == kind]

    def advance(self, seconds: float) -> None:
        """Let time pass for the caches, in seconds: expired rows are gone."""
        self._environment.advance(seconds)

    def caches(self, user_id: str = USER, tenant_id: str = CLOUD_TENANT) -> CacheFactory:
        """Return a user's caches as a handler sees them; use them with `run`."""
        return CacheFactory(lambda: CacheScope(self._environment.store, tenant_id, user_id))

    def user_data(self, key: str, user_id: str = USER) -> dict[str, Any] | None:
        """Return one row of a user's cache; None if there is none."""
        row: dict[str, Any] | None = self.run(self.caches(user_id).create_user_cache().get(key))
        return row

    def state(self, key: str, user_id: str = USER) -> dict[str, Any] | None:
        """Return one state of a user's conversation; None if there is none."""
        row: dict[str, Any] | None = self.run(self.caches(user_id).create_state_cache().get(key))
        return row

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Await a coroutine, from a test that is no coroutine itself."""
        return asyncio.run(coroutine)

    def _record(self, made: list[Command]) -> list[Command]:
        """Add commands to `sent`, each id once: an event that was handled before returns its commands again."""
        known: dict[str, Command] = {}
        for command in [*self.sent, *made]:
            known.setdefault(command.command_id, command)
        self.sent = list(known.values())
        return made
