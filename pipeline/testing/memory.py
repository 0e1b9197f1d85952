"""In memory: a handler in this process, its rows in a dict, no topics."""

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
    """A `pipeline.testing.environment.HandlerEnvironment`. The object itself is tested, whatever it was made with."""

    def __init__(self, handler: EventHandler, timeout: float) -> None:
        self._handler = handler
        self._now = 0.0
        self._settings = Settings(handler_timeout=timeout, cache="memory")
        self.store = MemoryStore(lambda: self._now)

    async def handle(self, events: Sequence[EventBase], *, at_once: bool) -> list[Command]:
        runner = self._runner()
        if at_once:
            results = await asyncio.gather(*(_run(runner, event) for event in events))
        else:
            results = [await _run(runner, event) for event in events]
        return [command for commands in results for command in commands]

    def advance(self, seconds: float) -> None:
        self._now += seconds

    def _runner(self) -> HandlerRunner:
        capabilities = {name: provider.kinds for name, provider in PROVIDERS.items()}
        return OneHandler(self._handler, self._settings, sample_tenants(), self.store, capabilities=capabilities)


async def _run(runner: HandlerRunner, event: EventBase) -> list[Command]:
    """An event's commands as its handler asked for them, read marks too, which go out before all others."""
    early: list[Command] = []

    async def publish(command: Command) -> None:
        early.append(command)

    return sorted([*await runner.run(event, publish), *early], key=lambda command: command.created_at)


class OneHandler(HandlerRunner):
    """A runner whose tenants all have one handler."""

    def __init__(self, handler: EventHandler, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._one = handler

    def handler(self, tenant_id: str) -> EventHandler:
        return self._one
