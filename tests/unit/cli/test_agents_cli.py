"""Agents beside the handlers on the command line: which run, what the doctor says, whose topics are looked at."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from pipeline.cli import _agents, dead_letters, lag
from pipeline.cli._checks import CheckState, check_handlers
from pipeline.cli.topics import installed
from pipeline.cli.worker import split_agents
from pipeline.dead_letters.find import DeadLetterFilter
from pipeline.errors import ConfigurationError, UsageError
from pipeline.runtime.kafka import admin
from pipeline.runtime.kafka.admin import TopicDescription
from pipeline.settings import Settings
from pipeline.tenants import Tenants, TenantsFile
from pipeline.topics.catalogue import STAGES, sources
from pipeline.topics.dead_letters import PREFIX, DeadLetterId

PATH = "tests.support.agents_for_tests."


def tenants(*agents: dict[str, Any]) -> Tenants:
    return Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme"}], "agents": list(agents)}))


SOME = tenants({"id": "visits", "agent": f"{PATH}counts"}, {"id": "fates", "agent": f"{PATH}fates"})


@pytest.mark.parametrize(
    ("argv", "apps", "agents"),
    [
        (["intake", "handlers"], ["intake", "handlers"], None),
        (["agent"], [], []),
        (["agent", "visits", "crm"], [], ["visits", "crm"]),
        (["intake", "agent", "visits", "messenger"], ["intake", "messenger"], ["visits"]),
    ],
)
def test_the_words_behind_agent_are_its_ids(argv: list[str], apps: list[str], agents: list[str] | None) -> None:
    """`pipeline worker agent visits` would look for an app called visits, or run every agent in each process."""
    assert split_agents(argv) == (apps, agents)


def test_an_agent_that_is_not_there_is_told() -> None:
    """A worker would start, be ready and do nothing."""
    assert [each.id for each in _agents.named_agents(SOME, ["fates", "fates"])] == ["fates"]
    assert [each.id for each in _agents.named_agents(SOME, [])] == ["visits", "fates"]
    with pytest.raises(UsageError, match="the tenants file has visits, fates"):
        _agents.named_agents(SOME, ["crm"])
    with pytest.raises(UsageError, match="has no agents"):
        _agents.named_agents(tenants(), [])


def test_the_doctor_imports_agents_as_a_worker_does(tmp_path: Path) -> None:
    """A worker would end at its start, and the doctor have found nothing."""
    settings = Settings(data_dir=tmp_path)
    good = [finding for finding in check_handlers(settings, SOME) if finding.name == "agent"]
    assert [finding.state for finding in good] == [CheckState.OK, CheckState.OK]
    wrong = tenants({"id": "crm", "agent": f"{PATH}forgot_the_decorator"})
    (finding,) = [finding for finding in check_handlers(settings, wrong) if finding.name == "agent"]
    assert (finding.state, "write @agent" in finding.text) == (CheckState.WRONG, True)
    with pytest.raises(ConfigurationError, match="write @agent"):
        installed(settings, wrong)


def test_lag_shows_agents_alone_together_or_with_all(tmp_path: Path) -> None:
    """Nobody would see how far an agent is behind, or only one by one."""
    apps = sources(SOME.lanes, _agents.topics_of_agents(Settings(data_dir=tmp_path), SOME))
    assert set(lag._chosen(apps, "agent")) == {"agent-visits", "agent-fates"}
    assert set(lag._chosen(apps, "agent-fates")) == {"agent-fates"}
    assert {"intake", "handlers-default", "messenger", "agent-visits"} < set(lag._chosen(apps, None))
    with pytest.raises(typer.BadParameter, match="agent-crm"):
        lag._chosen(apps, "agent-crm")


def test_without_agents_nothing_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pipeline lag` would import handlers and providers for those who have no agents."""
    monkeypatch.setitem(sys.modules, "pipeline.agents.reads", None)
    assert _agents.topics_of_agents(Settings(data_dir=tmp_path), tenants()) == ()


def test_letters_of_agents_are_searched_with_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an agent failed at would never be seen, also once it has left the tenants file."""
    there = {PREFIX + stage: TopicDescription(PREFIX + stage, 8, 1) for stage in (*STAGES, "agent-gone")}

    async def describe(_: str, names: list[str]) -> dict[str, TopicDescription]:
        return {name: there[name] for name in names if name in there}

    async def of_prefix(_: str, prefix: str) -> list[str]:
        return [name for name in there if name.startswith(prefix)]

    monkeypatch.setattr(admin, "describe", describe)
    monkeypatch.setattr(admin, "names", of_prefix)
    every = dead_letters._named_stages(DeadLetterFilter(), None)
    assert set(asyncio.run(dead_letters._partition_counts(every))) == {*STAGES, "agent-gone"}
    one = dead_letters._named_stages(DeadLetterFilter(), "agent-gone")
    assert set(asyncio.run(dead_letters._partition_counts(one))) == {"agent-gone"}
    named = dead_letters._named_stages(DeadLetterFilter(ids=frozenset({DeadLetterId("agent-gone", 0, 1)})), None)
    assert set(asyncio.run(dead_letters._partition_counts(named))) == {"agent-gone"}
    with pytest.raises(typer.BadParameter, match="no stage 'agent-nobody'"):
        asyncio.run(dead_letters._partition_counts(["agent-nobody"]))
