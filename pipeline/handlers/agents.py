"""Agents beside the handlers: how one is loaded, and the runner that gives it a unit of work of its own.

An agent beside reads what a handler reads, and neither knows of the other. Its rows, and the records of what it has
finished, are in a space of its own (`pipeline.state.keys.agent_space`), so that two units of work about one event never
meet. Its commands have ids of their own, which are the same each time it runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pipeline.errors import ConfigurationError
from pipeline.handlers.base import EventHandler
from pipeline.handlers.loading import load_object
from pipeline.handlers.runner import HandlerRunner
from pipeline.handlers.unit_of_work import FailureUnit, Publish, UnitOfWork
from pipeline.settings import Settings
from pipeline.state.keys import agent_space
from pipeline.tenants import Tenants
from pipeline.topics.agents import AgentEntry
from pipeline.topics.events import EventBase

PlainAgents: TypeAlias = Callable[[Any], None]
"""A function that adds plain Faust agents to the app that it is given."""


def load_agent(entry: AgentEntry) -> EventHandler | PlainAgents:
    """Return what an entry of the tenants file names. Raises `ConfigurationError` with one line if that can't be done.

    It is an agent, a handler, or a function that adds plain Faust agents to an app.
    """
    found = load_object(entry.agent, f"the agent {entry.id}, {entry.agent},")
    if isinstance(found, EventHandler):
        return found
    if not inspect.isfunction(found) or inspect.iscoroutinefunction(found) or len(_parameters(found)) != 1:
        raise ConfigurationError(
            f"{entry.agent} is no agent: write @agent(MessageEvent) above the function, or name a function of one app "
            "that adds plain Faust agents to it"
        )
    if entry.tenants:
        raise ConfigurationError(
            f"{entry.agent} adds plain Faust agents, which read the records of every tenant: leave out `tenants` of "
            f"the agent {entry.id}"
        )
    return found


def _parameters(function: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


class AgentRunner(HandlerRunner):
    """Runs one agent beside the handlers, for the tenants whose events it reads.

    A send by the HTTP API is queued by the handlers alone; an agent only sees that it was.

    Args:
        entry: the agent, as the tenants file names it.
        handler: the agent itself.
        settings: as for a `HandlerRunner`, as are all others.
    """

    def __init__(
        self, entry: AgentEntry, handler: EventHandler, settings: Settings, tenants: Tenants, *args: Any, **more: Any
    ) -> None:
        self._entry = entry
        self._agent = handler
        super().__init__(settings, tenants, *args, **more)
        self.stage = entry.app

    @property
    def agent(self) -> EventHandler:
        """The agent."""
        return self._agent

    def reads(self, tenant_id: str) -> bool:
        """Return True unless the agent is for other tenants. An unknown tenant is an error of the record."""
        return not self._entry.tenants or tenant_id in self._entry.tenants

    def _load(self, settings: Settings, tenants: Tenants) -> dict[str, EventHandler]:
        self._check(self._entry.agent, self._agent, settings)
        return dict.fromkeys([tenant.id for tenant in tenants.read_by(self._entry)], self._agent)

    def _api_send(self, event: EventBase) -> None:
        """Return None: the handlers queue it."""

    def _unit(self, event: EventBase, publish: Publish | None, *, redriven: bool) -> UnitOfWork:
        unit = UnitOfWork(self._store, self._space(event), event.event_id, self._record_ttl, publish, redriven=redriven)
        unit.cause = self._cause(event)
        return unit

    def _failure_unit(self, event: EventBase, error: Exception) -> UnitOfWork:
        unit = FailureUnit(self._store, self._space(event), event.event_id, error, self._record_ttl)
        unit.cause = f"{self._cause(event)}:failure"
        return unit

    def _count(self, event: EventBase) -> None:
        """Count nothing: the records of each app are counted by the runtime."""

    def _space(self, event: EventBase) -> str:
        return agent_space(event.tenant_id, self._entry.id)

    def _cause(self, event: EventBase) -> str:
        return f"{event.event_id}:agent:{self._entry.id}"
