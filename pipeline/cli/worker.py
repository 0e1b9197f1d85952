"""`pipeline worker APP…`: run apps in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import UsageError
from pipeline.topics.catalogue import APPS, HANDLERS, INTAKE

if TYPE_CHECKING:
    from pipeline.runtime import PipelineApp
    from pipeline.settings import Settings
    from pipeline.tenants import Tenants


def worker(
    apps: Annotated[list[str], typer.Argument(metavar="APP", help=f"Apps to run: {', '.join(APPS)}.")],
    lane: Annotated[
        list[str] | None, typer.Option("--lane", help="Serve this lane only (app handlers); may be repeated.")
    ] = None,
) -> None:
    """Run apps until SIGTERM or Ctrl-C; records in progress are finished first."""
    from pipeline.cli._setup import prepare
    from pipeline.runtime.process import worker as process

    unknown = sorted(set(apps) - set(APPS))
    if unknown:
        raise typer.BadParameter(f"there is no app {unknown[0]!r}: choose from {', '.join(APPS)}")
    settings, tenants = prepare()

    async def build() -> list[PipelineApp]:
        return [app for name in apps for app in _build(name, settings, tenants, lane)]

    process.run(settings, build)


def _build(name: str, settings: Settings, tenants: Tenants, lanes: list[str] | None) -> list[PipelineApp]:
    from pipeline.agents import topology

    if name == HANDLERS:
        return [topology.handlers(settings, tenants, lane) for lane in _lanes(tenants, lanes)]
    return [topology.intake(settings, tenants) if name == INTAKE else topology.messenger(settings, tenants)]


def _lanes(tenants: Tenants, wanted: list[str] | None) -> list[str]:
    for lane in wanted or ():
        if lane not in tenants.lanes:
            raise UsageError(f"no tenant is on lane {lane!r}: the tenants file has {', '.join(tenants.lanes)}")
    return wanted or tenants.lanes
