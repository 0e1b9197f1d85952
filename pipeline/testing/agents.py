"""Runs an agent beside the handlers in memory: over events, commands and outcomes, with rows and ids of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pipeline.handlers import EventHandler, HandlerRunner
from pipeline.handlers.agents import AgentRunner
from pipeline.handlers.record_events import command_event, outcome_event
from pipeline.providers import PROVIDERS
from pipeline.state import CacheFactory, CacheScope
from pipeline.state.keys import agent_space
from pipeline.testing.events import USER
from pipeline.testing.handlers import HandlerDriver
from pipeline.testing.memory import MemoryEnvironment
from pipeline.testing.webhooks import CLOUD_TENANT, account_of, sample_tenants
from pipeline.topics.agents import AgentEntry
from pipeline.topics.commands import Command, CommandKind, command_id
from pipeline.topics.events import EventBase
from pipeline.topics.outcomes import Outcome, OutcomeStatus


class AgentDriver(HandlerDriver):
    """One agent as its worker runs it beside the handlers, in memory.

    >>> driver = AgentDriver(fates)
    >>> driver.handle(incoming_text("hi"), outcome("failed", error_code=131026))

    Args:
        agent: the function with `@agent`, or a handler.
        id: its id in the tenants file, which its rows and the ids of its commands follow from.
        timeout: seconds that one event may take.
    """

    def __init__(self, agent: EventHandler, id: str = "tested", timeout: float = 30.0) -> None:  # noqa: A002
        self.handler = agent
        self.sent = []
        self._id = id
        self._environment = _AgentEnvironment(agent, id, timeout)

    def handle(self, *events: EventBase | Command | Outcome) -> list[Command]:
        """Handle events, commands and outcomes one after the other and return the commands of the agent.

        Raises the agent's errors.
        """
        return super().handle(*map(_event, events))

    def caches(self, user_id: str = USER, tenant_id: str = CLOUD_TENANT) -> CacheFactory:
        """Return a user's caches as the agent sees them; use them with `run`."""
        space = agent_space(tenant_id, self._id)
        return CacheFactory(lambda: CacheScope(self._environment.store, space, user_id))


class _AgentEnvironment(MemoryEnvironment):
    def __init__(self, agent: EventHandler, id_: str, timeout: float) -> None:
        super().__init__(agent, timeout)
        self._entry = AgentEntry(id=id_, agent="")

    def _runner(self) -> HandlerRunner:
        capabilities = {name: provider.kinds for name, provider in PROVIDERS.items()}
        tenants = sample_tenants()
        return AgentRunner(self._entry, self._handler, self._settings, tenants, self.store, capabilities=capabilities)


def outgoing_text(text: str, *, to: str = USER, provider: str = "cloud", **fields: Any) -> Command:
    """Make the command of a text, as a handler's send makes it, with an id of its own."""
    event_id = fields.pop("event_id", f"{provider}:test:{uuid4().hex}")
    account = account_of(provider).id
    owner = sample_tenants().owner(provider, account)
    return Command.model_validate(
        {
            "command_id": command_id(event_id, 0),
            "event_id": event_id,
            "tenant_id": owner.id if owner else "",
            "provider": provider,
            "account": account,
            "recipient": to,
            "kind": CommandKind.TEXT,
            "body": {"text": text, "preview_url": False},
            "created_at": datetime.now(UTC),
            **fields,
        }
    )


def outcome(status: OutcomeStatus | str = "accepted", *, of: Command | None = None, **fields: Any) -> Outcome:
    """Make an outcome: of a command, or of one that is made for it."""
    command = of or outgoing_text("hi")
    kept = command.model_dump(
        include={"command_id", "event_id", "tenant_id", "provider", "account", "recipient", "campaign", "tags"}
    )
    return Outcome.model_validate({**kept, "status": status, "at": datetime.now(UTC), **fields})


def _event(event: EventBase | Command | Outcome) -> EventBase:
    if isinstance(event, Command):
        return command_event(event, _contact)
    return outcome_event(event, _contact) if isinstance(event, Outcome) else event


def _contact(provider: str, recipient: str) -> str:
    return PROVIDERS[provider].contact(recipient)
