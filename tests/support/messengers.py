"""A messenger for tests: what a call of it leaves, without Kafka, Redis or a provider."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pipeline.handlers import IMessenger, SendResult
from pipeline.handlers.context import activate
from pipeline.handlers.media.gateway import MediaGateway
from pipeline.handlers.media.library import MediaLibrary
from pipeline.handlers.messenger import MESSENGER
from pipeline.handlers.services import Services
from pipeline.handlers.unit_of_work import UnitOfWork
from pipeline.state import MemoryStore, Store
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events import EventBase
from tests.support.handler_events import text

Hook = Callable[[IMessenger], Awaitable[Any]]
CLOUD = "cloud"


def commands_of(
    hook: Hook,
    event: EventBase | None = None,
    *,
    kinds: frozenset[CommandKind] = frozenset(CommandKind),
    gateway: MediaGateway | None = None,
    store: Store | None = None,
    language: str | None = None,
) -> list[Command]:
    """The commands that `hook` leaves for an event. Templates that name no language have `language`."""
    about, rows = event or text(), store or MemoryStore()

    async def run() -> list[Command]:
        unit = UnitOfWork(rows, about.tenant_id, about.event_id)
        languages = {about.tenant_id: language} if language else {}
        with activate(about, unit, Services(MediaLibrary(rows, gateway), {CLOUD: kinds}, languages)):
            await hook(MESSENGER)
        return unit.commands

    return asyncio.run(run())


def call(method: str, arguments: dict[str, Any], **more: Any) -> tuple[SendResult, list[Command]]:
    """The result of one call, and its commands."""
    results: list[SendResult] = []

    async def hook(messenger: IMessenger) -> None:
        results.append(await getattr(messenger, method)(**arguments))

    commands = commands_of(hook, **more)
    return results[0], commands
