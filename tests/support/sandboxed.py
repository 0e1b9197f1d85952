"""A handler's way to the sandbox, in one process: its commands, the messenger's stage, the provider's own calls.

Nothing is left out but Kafka and Redis: the handler is run as its worker runs it, and the sandbox answers over HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import ClientSession

from pipeline.agents.send import send
from pipeline.handlers import EventHandler, HandlerRunner
from pipeline.handlers.media.gateway import Upload
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.executor import CommandExecutor
from pipeline.messenger.slots import SlotBounds
from pipeline.providers import PROVIDERS
from pipeline.providers.base import Provider, SendAttempt
from pipeline.providers.media import AccountMedia
from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.limits import SandboxLimits
from pipeline.sandbox.server import served
from pipeline.state import MemoryStore
from pipeline.tenants import Account, Tenants, TenantsFile
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.testing.memory import OneHandler
from pipeline.testing.webhooks import account_of, tenants_file
from pipeline.topics.catalogue import OUTCOMES, SENT
from pipeline.topics.codec import decode_outcome, encode_command
from pipeline.topics.commands import Command
from pipeline.topics.events import EventBase
from pipeline.topics.outcomes import Outcome
from tests.support.handler_events import settings
from tests.support.waiting import HANG

FAST = 10_000.0
"""Messages per second, here and in the sandbox: a test need not wait for a limit."""


class Handled(NamedTuple):
    """What became of one event: its commands, and the outcome of each."""

    commands: list[Command]
    outcomes: list[Outcome]


class Sandboxed:
    """The accounts of `examples/tenants.yaml` at a running sandbox."""

    def __init__(self, url: str, dispatcher: Dispatcher, tenants: Tenants, media: AccountMedia) -> None:
        self._url = url
        self._store = MemoryStore()
        self._messenger = TopologyTestDriver(send(CommandExecutor(dispatcher, HANG)), tables=[SENT])
        self._tenants = tenants
        self._media = media

    async def handle(self, handler: EventHandler, event: EventBase) -> Handled:
        """Handle an event, and carry out its commands in the order in which the handler asked for them."""
        early: list[Command] = []

        async def publish(command: Command) -> None:
            early.append(command)

        made = [*await self._runner(handler).run(event, publish), *early]
        commands = sorted(made, key=lambda command: command.created_at)
        outcomes = [outcome for command in commands for outcome in await self.carry_out(command)]
        return Handled(commands, outcomes)

    async def carry_out(self, command: Command) -> list[Outcome]:
        """Carry a command out, in a thread: the sandbox answers in this one."""
        published = await asyncio.to_thread(self._messenger.pipe, TestRecord.of(encode_command(command)))
        assert self._messenger.dead_letters == []
        return [decode_outcome(TestRecord.of(record)) for record in published if record.topic == OUTCOMES.name]

    async def journal(self, name: str) -> list[dict[str, Any]]:
        """Return a journal of the sandbox: `sent`, `reads`, `media`, `violations`."""
        async with ClientSession() as session, session.get(f"{self._url}/_sandbox/{name}") as response:
            found: list[dict[str, Any]] = await response.json()
            return found

    async def keep(self, content: bytes, mime_type: str = "image/jpeg") -> str:
        """Let the Cloud API keep a file, as if a person had sent it. Return its id."""
        uploaded = await self._media.upload("cloud", account_of("cloud").id, Upload(content, mime_type, "file"))
        return uploaded.medium["id"]

    def _runner(self, handler: EventHandler) -> HandlerRunner:
        kinds = {name: provider.kinds for name, provider in PROVIDERS.items()}
        return OneHandler(handler, settings(), self._tenants, self._store, capabilities=kinds, media=self._media)


@asynccontextmanager
async def sandboxed() -> AsyncIterator[Sandboxed]:
    limits = SandboxLimits(messages_per_second=FAST)
    async with served(SandboxConfig(port=0, statuses=(), limits=limits)) as url:
        content = tenants_file(base_url=url)
        for tenant in content["tenants"]:
            for account in tenant["accounts"]:
                account["limits"] = {"messages_per_second": FAST}
        tenants = Tenants(TenantsFile.model_validate(content))
        media, dispatcher = AccountMedia(PROVIDERS, tenants), Dispatcher(PROVIDERS, tenants, SlotBounds(9, 9, 9), _call)
        try:
            yield Sandboxed(url, dispatcher, tenants, media)
        finally:
            await dispatcher.close()
            await media.close()


async def _call(provider: Provider, command: Command, account: Account, _: ClientSession) -> SendAttempt:
    """Call the provider in a session of the loop that runs: the driver of the stage has one for each record."""
    async with ClientSession() as session:
        return await provider.deliver(command, account, session)
