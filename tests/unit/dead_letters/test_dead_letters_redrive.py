"""A redrive that runs twice, because it died before its marks: each stage does the work once."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from pipeline.agents.deduplicate import deduplicate
from pipeline.agents.parse import parse
from pipeline.agents.route import route
from pipeline.agents.send import send
from pipeline.handlers.runner import HandlerRunner
from pipeline.messenger.call import ProviderCall
from pipeline.messenger.command_state import CommandPhase, decode_state
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.executor import CommandExecutor
from pipeline.messenger.limits.rows import ReadRow
from pipeline.messenger.routes import SendRoutes
from pipeline.messenger.slots import SlotBounds
from pipeline.messenger.waking import Sleep
from pipeline.providers import PROVIDERS
from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.state import MemoryStore
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics.catalogue import SEEN, SENT
from pipeline.topics.codec import encode_command
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.dead_letters import DeadLetter, parse_dead_letter
from pipeline.topics.events import MessageEvent
from pipeline.topics.records import Record
from tests.support.handler_events import settings, tenants, text
from tests.support.handlers_for_tests import Recorder
from tests.support.stacks import ROOT
from tests.support.webhooks import NUMBER, change, webhook
from tests.support.webhooks import text as message


def _sample(*ids: str) -> Tenants:
    content: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "tenants.yaml").read_text())
    content["tenants"] = [tenant for tenant in content["tenants"] if tenant["id"] in ids]
    environ = {"PIPELINE_SANDBOX_URL": "http://127.0.0.1:1"}
    return Tenants(TenantsFile.model_validate(content, context={"environ": environ}))


def _redriven(letter: Record) -> TestRecord:
    """The record that a redrive of this letter publishes."""
    found = parse_dead_letter(TestRecord.of(letter))
    assert isinstance(found, DeadLetter)
    return TestRecord.of(found.redriven(int(time.time() * 1000)), offset=7)


def _raw() -> TestRecord:
    body = webhook([change([message("15550001111", "wamid.1", "hi")])])
    return TestRecord(body, b"cloud:1:2", (("provider", b"cloud"), ("received-at", b"1")), "webhooks.raw")


def test_intake_remembers_nothing_of_an_event_that_it_could_not_route() -> None:
    """A redriven webhook would be taken for a duplicate of itself and be gone; or, redriven twice, go on twice."""
    early = TopologyTestDriver(parse(PROVIDERS), deduplicate(), route(_sample("globex")), tables=(SEEN,))
    early.pipe(_raw())
    (letter,) = early.dead_letters
    assert early.rows(SEEN) == {}
    late = TopologyTestDriver(parse(PROVIDERS), deduplicate(), route(_sample("acme")), tables=(SEEN,))
    again = _redriven(letter)
    (event,) = late.pipe(again)
    assert event.topic == "events.default"
    assert late.pipe(again) == []


class Mended(Recorder):
    """Fails until it is mended."""

    broken = True

    async def script(self, webhook: MessageEvent) -> None:
        await self.messenger.send_text("hello", webhook.user.user_id)
        if self.broken:
            raise KeyError("a bug")


def test_handle_has_no_record_of_an_event_that_failed() -> None:
    """A redriven event would answer with nothing; or, redriven twice, run its handler and answer twice."""

    async def body() -> None:
        runner = HandlerRunner(settings(f"{__name__}.Mended"), tenants(acme=None), MemoryStore())
        handler = runner.handler("acme")
        assert isinstance(handler, Mended)
        with pytest.raises(KeyError):
            await runner.run(text())
        handler.broken = False
        first, second = await runner.run(text()), await runner.run(text())
        assert [command.command_id for command in first] == [command.command_id for command in second]
        assert (len(first), len(handler.seen)) == (1, 2), "once failed, once done"

    asyncio.run(body())


class Accepting:
    """A provider that accepts everything."""

    def __init__(self) -> None:
        self.calls = 0

    async def deliver(self, *_: object) -> SendAttempt:
        self.calls += 1
        return SendAttempt(AttemptStatus.ACCEPTED, "wamid.1")


class Desk(Dispatcher):
    """A dispatcher without connections: each call of a stage has an event loop of its own here."""

    def __init__(self, provider: Accepting, tenants: Tenants) -> None:
        self.known = tenants
        self._now = time.monotonic
        self._provider = provider

    async def begin(self, command: Command, wait: Sleep, read: ReadRow, within: float = math.inf) -> ProviderCall:
        self._routes = SendRoutes(self.known, SlotBounds(1, 1, 1), ())
        return await super().begin(command, wait, read, within)

    async def wait_for_permit(self, command: Command, wait: Sleep, read: ReadRow, within: float = math.inf) -> bool:
        """At once."""
        return True

    def spend(self, command: Command, read: ReadRow) -> dict[str, bytes]:
        """Nothing: there are no limits."""
        return {}

    async def attempt(self, command: Command, guard: object = None, call: ProviderCall | None = None) -> SendAttempt:
        return await self._provider.deliver(command)

    def may_resend(self, command: Command) -> bool:
        return True


def test_send_has_no_outcome_of_a_command_that_failed() -> None:
    """A redriven command would be taken for sent and never go out; or, redriven twice, be sent twice."""
    command = Command(
        command_id="cmd-1",
        tenant_id="acme",
        provider="cloud",
        account=NUMBER,
        recipient="15550001111",
        kind=CommandKind.TEXT,
        created_at=datetime.now(UTC),
    )
    provider = Accepting()
    desk = Desk(provider, _sample("globex"))
    driver = TopologyTestDriver(send(CommandExecutor(desk, reconcile_window=60)), tables=(SENT,))
    driver.pipe(TestRecord.of(encode_command(command)))
    (letter,) = driver.dead_letters
    assert driver.rows(SENT) == {}
    desk.known = _sample("acme")
    again = _redriven(letter)
    (outcome,) = driver.pipe(again)
    assert outcome.topic == "commands.outcomes"
    assert driver.pipe(again) == []
    assert provider.calls == 1
    standing = decode_state(driver.rows(SENT)[b"cmd-1"])
    assert standing is not None
    assert standing.phase is CommandPhase.CLOSED
