"""The agents of the tenants file, for verbs that need their topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.settings import Settings
    from pipeline.tenants import Tenants
    from pipeline.topics.agents import AgentEntry, AgentTopics


def topics_of_agents(settings: Settings, tenants: Tenants) -> tuple[AgentTopics, ...]:
    """Return the topics of all agents. Raise `ConfigurationError` for one that can't be loaded.

    Without agents nothing is imported.
    """
    if not tenants.agents:
        return ()
    from pipeline.agents.reads import agents_topics

    return agents_topics(settings, tenants)


def named_agents(tenants: Tenants, ids: Collection[str]) -> list[AgentEntry]:
    """Return the named agents, or all if none is named. Raise `UsageError` for one that is not there."""
    if not tenants.agents:
        raise UsageError("the tenants file has no agents: name yours there under `agents` (docs/write-an-agent.md)")
    for each in ids:
        if each not in tenants.agents:
            raise UsageError(f"there is no agent {each!r}: the tenants file has {', '.join(tenants.agents)}")
    return [tenants.agents[each] for each in dict.fromkeys(ids)] or list(tenants.agents.values())


async def start_new_agents(kafka: str, agents: Collection[AgentTopics]) -> list[str]:
    """Let new agents begin with the records from now on, unless they want all. Return the ids of these.

    Raise `Unavailable`.
    """
    from pipeline.runtime.kafka.group_start import start_at_end

    recent = [each for each in agents if each.entry.start == "latest"]
    return [each.entry.id for each in recent if await start_at_end(kafka, each.entry.app, each.sources)]
