"""Runs a handler over events, in memory or on the real stack, and shows what came of it."""

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
        """Handles events one after the other; gives what was sent for them. Raises what the handler raises."""
        return self._record(self.run(self._environment.handle(events, at_once=False)))

    def handle_at_once(self, *events: EventBase) -> list[Command]:
        """Handles events side by side, as those of different conversations are."""
        return self.run(self.handle_all(*events))

    async def handle_all(self, *events: EventBase) -> list[Command]:
        """The same, for tests that are coroutines."""
        return self._record(await self._environment.handle(events, at_once=True))

    @property
    def texts(self) -> list[str]:
        """The texts of the messages so far; of messages with buttons and the like their bodies."""
        return [command.body["text"] for command in self.sent if "text" in command.body]

    def of_kind(self, kind: CommandKind | str) -> list[Command]:
        return [command for command in self.sent if command.kind == kind]

    def advance(self, seconds: float) -> None:
        """Lets time pass for the caches: what has expired by then is gone."""
        self._environment.advance(seconds)

    def caches(self, user_id: str = USER, tenant_id: str = CLOUD_TENANT) -> CacheFactory:
        """A user's caches as a handler sees them; use them with `run`."""
        return CacheFactory(lambda: CacheScope(self._environment.store, tenant_id, user_id))

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

    def _record(self, made: list[Command]) -> list[Command]:
        """An event that was handled before gives its commands again; the messenger knows them by their ids."""
        known: dict[str, Command] = {}
        for command in [*self.sent, *made]:
            known.setdefault(command.command_id, command)
        self.sent = list(known.values())
        return made
