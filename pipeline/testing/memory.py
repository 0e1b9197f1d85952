"""The environment in memory: a handler in this process, its rows in a dict, no topics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pipeline.handlers import EventHandler, HandlerRunner
from pipeline.providers import PROVIDERS
from pipeline.settings import Settings
from pipeline.state import MemoryStore
from pipeline.testing.webhooks import sample_tenants
from pipeline.topics.commands import Command
from pipeline.topics.events import EventBase


class MemoryEnvironment:
    """A `HandlerEnvironment` in this process. It runs the test's own object."""

    def __init__(self, handler: EventHandler, timeout: float) -> None:
        self._handler = handler
        self._now = 0.0
        self._settings = Settings(handler_timeout=timeout, cache="memory")
        self.store = MemoryStore(lambda: self._now)

    async def handle(self, events: Sequence[EventBase], *, at_once: bool) -> list[Command]:
        """Handle events, side by side or one after the other, and return their commands."""
        runner = self._runner()
        if at_once:
            results = await asyncio.gather(*(_run(runner, event) for event in events))
        else:
            results = [await _run(runner, event) for event in events]
        return [command for commands in results for command in commands]

    def advance(self, seconds: float) -> None:
        """Let time pass for everything in `store` that expires."""
        self._now += seconds

    def _runner(self) -> HandlerRunner:
        capabilities = {name: provider.kinds for name, provider in PROVIDERS.items()}
        return OneHandler(self._handler, self._settings, sample_tenants(), self.store, capabilities=capabilities)


async def _run(runner: HandlerRunner, event: EventBase) -> list[Command]:
    """Return an event's commands in the order in which its handler asked for them, immediate ones included."""
    early: list[Command] = []

    async def publish(command: Command) -> None:
        early.append(command)

    return sorted([*await runner.run(event, publish), *early], key=lambda command: command.created_at)


class OneHandler(HandlerRunner):
    """A runner that uses one handler for all tenants."""

    def __init__(self, handler: EventHandler, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._one = handler
        if handler.template_language:
            languages = dict.fromkeys(self._handlers, handler.template_language)
            self._services = self._services._replace(languages=languages | dict(self._services.languages))

    def handler(self, tenant_id: str) -> EventHandler:
        """Return the handler."""
        return self._one
