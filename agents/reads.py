"""The topics that the agents beside the handlers read and own: for the catalogue, `pipeline lag` and the doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.handlers.agents import PlainAgents, load_agent
from pipeline.handlers.base import EventHandler
from pipeline.handlers.functions import Agent
from pipeline.tenants import Tenants
from pipeline.topics import catalogue
from pipeline.topics.agents import AgentEntry, AgentTopics
from pipeline.topics.commands import Command
from pipeline.topics.events import EventBase
from pipeline.topics.outcomes import Outcome

if TYPE_CHECKING:
    from pipeline.settings import Settings


def agents_topics(settings: Settings, tenants: Tenants) -> tuple[AgentTopics, ...]:
    """Return the topics of all agents. Raise `ConfigurationError` for one that can't be loaded."""
    return tuple(_topics_of(settings, tenants, entry) for entry in tenants.agents.values())


def topics_read(agent: EventHandler, entry: AgentEntry, tenants: Tenants) -> tuple[str, ...]:
    """Return the topics that an agent reads: those of its kinds, on the lanes of its tenants."""
    kinds = agent.kinds if isinstance(agent, Agent) else (EventBase,)
    lanes = sorted({tenant.lane for tenant in tenants.read_by(entry)}) if entry.tenants else tenants.lanes
    events = [catalogue.events(lane) for lane in lanes] if _any(kinds, EventBase) else []
    commands = catalogue.COMMANDS if _any(kinds, Command) else ()
    outcomes = [catalogue.OUTCOMES] if _any(kinds, Outcome) else []
    return tuple(topic.name for topic in (*events, *commands, *outcomes))


def _any(kinds: tuple[type[Any], ...], wanted: type[Any]) -> bool:
    return any(issubclass(kind, wanted) for kind in kinds)


def _topics_of(settings: Settings, tenants: Tenants, entry: AgentEntry) -> AgentTopics:
    found = load_agent(entry)
    if isinstance(found, EventHandler):
        return AgentTopics(entry, topics_read(found, entry, tenants))
    return _of_plain(settings, entry, found)


def _of_plain(settings: Settings, entry: AgentEntry, add: PlainAgents) -> AgentTopics:
    """Return the topics of plain Faust agents. Only the app that they are added to knows them."""
    from pipeline.runtime import PipelineApp  # noqa: PLC0415 (Faust takes half a second to import)

    app = PipelineApp(entry.app, settings)
    add(app)
    return AgentTopics(entry, tuple(sorted(app.plain_topics)), tuple(sorted(app.tables)), is_plain=True)
