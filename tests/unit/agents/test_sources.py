"""The catalogue's list of the topics that each app reads, and the topology that a worker tells."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.agents import topology
from pipeline.agents.reads import agents_topics
from pipeline.errors import ConfigurationError
from pipeline.runtime import PipelineApp
from pipeline.runtime.process.topology import describe
from pipeline.settings import Settings
from pipeline.tenants import Tenants, TenantsFile, load_tenants, sample
from pipeline.topics.agents import AgentEntry
from pipeline.topics.catalogue import agent_topics, sources

PATH = "tests.support.agents_for_tests."
AGENTS = [
    {"id": "visits", "agent": f"{PATH}counts"},
    {"id": "everything", "agent": f"{PATH}answers_everything"},
    {"id": "gold-only", "agent": f"{PATH}Counter", "tenants": ["bank"]},
    {"id": "fates", "agent": f"{PATH}fates"},
    {"id": "totals", "agent": f"{PATH}plain"},
]
STAGED = ("visits", "everything", "gold-only", "fates")
"""Those that are no plain Faust agents."""
COMMANDS = {"commands.interactive", "commands.bulk"}


@pytest.fixture
def tenants(tmp_path: Path) -> Tenants:
    """The sample's tenants, one of a lane of its own, and agents of every sort."""
    content = yaml.safe_load(sample().read_text())
    content["tenants"].append({"id": "bank", "lane": "gold"})
    content["agents"] = AGENTS
    path = tmp_path / "tenants.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_tenants(path, {"PIPELINE_SANDBOX_URL": "http://127.0.0.1:8090"})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, cache="memory")


def built(settings: Settings, tenants: Tenants) -> dict[str, PipelineApp]:
    """All apps of the topology, released."""

    async def run() -> dict[str, PipelineApp]:
        lanes = [topology.handlers(settings, tenants, lane) for lane in tenants.lanes]
        agents = [topology.agent(settings, tenants, entry) for entry in tenants.agents.values()]
        apps = [topology.intake(settings, tenants), *lanes, topology.messenger(settings, tenants), *agents]
        for app in apps:
            await app.release()
        return {app.conf.id: app for app in apps}

    return asyncio.run(run())


def test_it_is_what_the_topology_reads(settings: Settings, tenants: Tenants) -> None:
    """`pipeline lag` would not look at a topic that an app has come to read."""
    found = {name: app.sources | app.plain_topics for name, app in built(settings, tenants).items()}
    known = sources(tenants.lanes, agents_topics(settings, tenants))
    assert {app: set(topics) for app, topics in known.items()} == found
    assert found["agent-visits"] == {"events.default", "events.gold"}
    assert found["agent-gold-only"] == {"events.gold"}
    assert found["agent-fates"] == {"commands.outcomes"}
    assert found["agent-everything"] == found["agent-visits"] | found["agent-fates"] | COMMANDS


def test_every_topic_that_an_agent_needs_is_made(settings: Settings, tenants: Tenants) -> None:
    """Its worker would not start, because the broker makes no topic by itself."""
    apps = built(settings, tenants)
    for each in agents_topics(settings, tenants):
        app = apps[each.entry.app]
        own = {topic.name for topic in agent_topics(each)}
        assert app.topic_names == own | set(each.sources)
    assert {f"dead-letters.agent-{name}" for name in STAGED} <= {
        topic.name for each in agents_topics(settings, tenants) for topic in agent_topics(each)
    }


def test_the_topology_tells_of_agents(settings: Settings, tenants: Tenants) -> None:
    """Who looks after a worker would not see which agents run in it, nor where their failures go."""
    found: dict[str, dict[str, Any]] = {name: describe(app) for name, app in built(settings, tenants).items()}
    assert found["agent-fates"] == {
        "flows": {"commands.outcomes": {"stages": ["agent-fates"], "dead_letters": ["dead-letters.agent-fates"]}},
        "plain_agents_read": [],
        "tables": {"parked": "agent-fates-parked-changelog"},
    }
    assert found["agent-totals"] == {
        "flows": {},
        "plain_agents_read": ["events.default"],
        "tables": {"totals": "agent-totals-totals-changelog"},
    }
    assert found["intake"]["flows"]["webhooks.raw"]["stages"] == ["parse", "deduplicate", "route"]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"agent": f"{PATH}forgot_the_decorator"}, "write @agent"),
        ({"agent": f"{PATH}TABLE"}, "is no agent"),
        ({"agent": f"{PATH}nothing"}, "is no agent"),
        ({"agent": "nowhere.at_all"}, "the agent a, nowhere.at_all, can't be imported"),
        ({"agent": f"{PATH}plain", "tenants": ["bank"]}, "leave out `tenants`"),
    ],
)
def test_an_agent_that_is_none_is_told_in_one_line(
    settings: Settings, tenants: Tenants, entry: dict[str, Any], says: str
) -> None:
    """A worker would end with a traceback, or run an agent that never gets an event."""
    with pytest.raises(ConfigurationError) as caught:
        topology.agent(settings, tenants, AgentEntry(id="a", **entry))
    assert (says in str(caught.value), str(caught.value).count("\n")) == (True, 0)


@pytest.mark.parametrize(
    ("agents", "says"),
    [
        ([{"id": "a", "agent": "x.y"}, {"id": "a", "agent": "x.z"}], "two agents are called a"),
        ([{"id": "a", "agent": "x.y", "tenants": ["nobody"]}], "nobody, which is no tenant"),
    ],
)
def test_an_entry_that_can_not_be_meant_is_refused(agents: list[dict[str, Any]], says: str) -> None:
    """Two agents would share a group and take each other's events, or one would read nothing."""
    with pytest.raises(ConfigurationError, match=says):
        Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme"}], "agents": agents}))


@pytest.mark.parametrize("name", ["Not A Name", "agent", "messenger", ""])
def test_an_id_names_topics_and_no_app(name: str) -> None:
    """`pipeline worker agent messenger` would run the messenger, and Kafka would refuse the topics."""
    with pytest.raises(ValueError, match="id"):
        TenantsFile.model_validate({"tenants": [], "agents": [{"id": name, "agent": "x.y"}]})


def test_an_agent_of_outcomes_is_no_tenants_handler(settings: Settings) -> None:
    """It would be started as a handler and never be called."""
    with pytest.raises(ConfigurationError, match="name it under `agents`"):
        topology.handlers(settings.model_copy(update={"handler": f"{PATH}fates"}), _one_tenant(), "default")


def _one_tenant() -> Tenants:
    return Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme"}]}))
