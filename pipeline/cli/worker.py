"""`pipeline worker APP…`: run apps in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import UsageError
from pipeline.topics.agents import AGENT
from pipeline.topics.catalogue import APPS, HANDLERS, INTAKE

if TYPE_CHECKING:
    from pipeline.runtime import PipelineApp
    from pipeline.settings import Settings
    from pipeline.tenants import Tenants

CHOICES = f"{', '.join(APPS)}, or {AGENT} with the ids of the agents to run (none: all of them)"


def worker(
    apps: Annotated[list[str], typer.Argument(metavar="APP", help=f"Apps to run: {CHOICES}.")],
    lane: Annotated[
        list[str] | None, typer.Option("--lane", help="Serve this lane only (app handlers); may be repeated.")
    ] = None,
    standby: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run apps until SIGTERM or Ctrl-C; records in progress are finished first."""
    from pipeline.agents import topology  # noqa: F401 - imported before it is this worker's turn
    from pipeline.cli._setup import prepare
    from pipeline.local.turn import Turn
    from pipeline.runtime.process import worker as process

    chosen, agents = split_agents(apps)
    unknown = sorted(set(chosen) - set(APPS))
    if unknown:
        raise typer.BadParameter(f"there is no app {unknown[0]!r}: choose from {CHOICES}")
    with Turn(standby) as turn:
        turn.wait_to_load()
        settings, tenants = prepare()

        async def build() -> list[PipelineApp]:
            others = [app for name in chosen for app in _build(name, settings, tenants, lane)]
            built = others + ([] if agents is None else _build_agents(agents, settings, tenants))
            await turn.wait_to_run()
            return built

        process.run(settings, build)


def split_agents(apps: list[str]) -> tuple[list[str], list[str] | None]:
    """Return the apps, and the ids of agents behind the word `agent`; None without that word."""
    if AGENT not in apps:
        return apps, None
    first = apps.index(AGENT)
    behind = apps[first + 1 :]
    return [*apps[:first], *(each for each in behind if each in APPS)], [each for each in behind if each not in APPS]


def _build(name: str, settings: Settings, tenants: Tenants, lanes: list[str] | None) -> list[PipelineApp]:
    from pipeline.agents import topology

    if name == HANDLERS:
        return [topology.handlers(settings, tenants, lane) for lane in _lanes(tenants, lanes)]
    return [topology.intake(settings, tenants) if name == INTAKE else topology.messenger(settings, tenants)]


def _build_agents(ids: list[str], settings: Settings, tenants: Tenants) -> list[PipelineApp]:
    from pipeline.agents import topology
    from pipeline.cli._agents import named_agents

    return [topology.agent(settings, tenants, entry) for entry in named_agents(tenants, ids)]


def _lanes(tenants: Tenants, wanted: list[str] | None) -> list[str]:
    for lane in wanted or ():
        if lane not in tenants.lanes:
            raise UsageError(f"no tenant is on lane {lane!r}: the tenants file has {', '.join(tenants.lanes)}")
    return wanted or tenants.lanes
