"""Agents beside the handlers, as the tenants file declares them, and the names that follow from an agent's id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

AGENT: Final = "agent"
"""The name of these apps together, as in `pipeline worker agent`."""
PREFIX: Final = f"{AGENT}-"
"""Prefix of an agent's consumer group and stage. No stage of the project's own has it."""
_ID: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_APPS: Final = frozenset({AGENT, "intake", "handlers", "messenger"})


def _not_an_app(value: str) -> str:
    if value in _APPS:
        raise ValueError(f"{value} is the name of an app: choose another one")
    return value


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class AgentEntry:
    """An agent that reads the same events as the handlers, beside them.

    Attributes:
        id: names its consumer group, its rows and its dead letters: a new id is a new agent.
        agent: dotted path of a function with `@agent`, of a handler's class, or of a function that adds plain Faust
            agents to an app.
        tenants: ids of the tenants whose events it reads; empty: all.
        start: the records that a new agent begins with: `latest` is those from now on, `earliest` all that the topics
            still have.
    """

    id: Annotated[str, AfterValidator(_not_an_app)] = Field(pattern=_ID)
    agent: str
    tenants: tuple[str, ...] = ()
    start: Literal["latest", "earliest"] = "latest"

    @property
    def app(self) -> str:
        """The name of its app, which is its consumer group, and of its only stage."""
        return agent_app(self.id)


class AgentTopics(NamedTuple):
    """The topics of one agent.

    Attributes:
        entry: the agent.
        sources: the topics that it reads.
        tables: the names of its Faust tables, which have changelogs.
        is_plain: True for plain Faust agents, which have neither dead letters nor parked records.
    """

    entry: AgentEntry
    sources: tuple[str, ...]
    tables: tuple[str, ...] = ()
    is_plain: bool = False


def agent_app(agent_id: str) -> str:
    """Return the name of an agent's app."""
    return PREFIX + agent_id


def sources_of(agents: tuple[AgentTopics, ...]) -> Mapping[str, tuple[str, ...]]:
    """Return the topics that each agent reads, by its consumer group."""
    return {each.entry.app: each.sources for each in agents}
