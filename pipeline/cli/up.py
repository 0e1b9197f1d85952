"""`pipeline up`: the whole pipeline on this machine, with Kafka, Redis and a sandbox for the providers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.local.ports import Ports
    from pipeline.local.services import Service
    from pipeline.settings import Settings
    from pipeline.tenants import Tenants


def up(
    *,
    ports_from: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            envvar="PIPELINE_PORTS_FROM",
            help="First port of the stack, to run several stacks side by side.",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Directory for data and logs. [PIPELINE_DATA_DIR]")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the data in DIR first.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the logs of the processes.")] = False,
    handler: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Handler of tenants without one: shop.bot.BotHandler. [PIPELINE_HANDLER]"),
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Load handlers anew when their code changes; no record is lost or doubled.")
    ] = False,
) -> None:
    """Run the whole pipeline on this machine until Ctrl-C: Kafka, Redis, sandbox, ingress and workers."""
    from rich.console import Console

    from pipeline.cli._handler_check import handler_names, require_handlers
    from pipeline.cli._setup import require_lifetimes
    from pipeline.local import data_dir as directory
    from pipeline.local.ports import Ports
    from pipeline.local.reload import Reloader
    from pipeline.local.report import StackReporter
    from pipeline.local.services import LOOPBACK, environment
    from pipeline.local.sources import sources_of
    from pipeline.local.supervisor import Supervisor
    from pipeline.settings import load_settings
    from pipeline.tenants import load_tenants, sample

    if handler:
        os.environ["PIPELINE_HANDLER"] = handler
    settings = load_settings()
    require_lifetimes(settings)
    ports = Ports.configured(os.environ) if ports_from is None else Ports.starting_at(ports_from)
    console = Console()
    with directory.claimed(data_dir or settings.data_dir) as path:
        chosen = (settings.tenants or sample()).absolute()
        shared = environment(ports, lambda _: LOOPBACK, os.environ.get("PIPELINE_PARTITIONS"))
        tenants = load_tenants(chosen, {**os.environ, **shared})
        agents = bool(tenants.agents)
        ports.require_free(*([] if agents else ["agents"]))
        services = _services(console, ports, path, {**os.environ, "PIPELINE_TENANTS": str(chosen)}, agents)
        if handler:
            _require_use(handler, tenants, chosen)
        require_handlers(handler_names(settings, tenants), tenants.agents.values(), services[-1].env)
        if fresh:
            directory.empty(path)
        shared = environment(ports, lambda _: LOOPBACK, os.environ.get("PIPELINE_PARTITIONS"), agents=agents)
        directory.announce(path, {**shared, "PIPELINE_TENANTS": str(chosen)})
        reporter = StackReporter(console, ports, path, tenants, agents=agents)
        sources = sources_of(_paths(settings, tenants), chosen) if reload else None
        reloader = (lambda children: Reloader(sources, children, reporter)) if sources else None
        supervisor = Supervisor(services, path / "logs", reporter, follow=verbose, reload=reloader)
        raise typer.Exit(supervisor.run())


def _require_use(handler: str, tenants: Tenants, file: Path) -> None:
    """Raise `UsageError` if no tenant would use the handler of `--handler`."""
    if all(tenant.handler for tenant in tenants):
        raise UsageError(f"no tenant would use {handler}: all those of {file} name their own; take one out there")


def _paths(settings: Settings, tenants: Tenants) -> list[str]:
    """Return the dotted paths of all handlers and agents."""
    handlers = [tenant.handler for tenant in tenants if tenant.handler]
    return [settings.handler, *handlers, *(entry.agent for entry in tenants.agents.values())]


def _services(
    console: Console, ports: Ports, data_dir: Path, environ: Mapping[str, str], agents: bool
) -> list[Service]:
    """Return the services to run. Raise `UsageError` if something is missing."""
    from pipeline.local.jars import class_path, is_cached, java
    from pipeline.local.redis import needs_download, redis_server
    from pipeline.local.services import services

    java()
    if needs_download():
        console.print("Fetching Redis (22 MB, the first time only)…", highlight=False)
    redis_server()
    if not is_cached():
        console.print("Fetching Kafka (44 MB, the first time only)…", highlight=False)
        class_path()
    return services(ports, data_dir, environ, agents=agents)
