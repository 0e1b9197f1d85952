"""`pipeline doctor`: show problems of a set-up and their solutions."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pipeline.cli._checks import Finding
    from pipeline.settings import Settings


def doctor() -> None:
    """Show problems of this set-up and their solutions; exit status 1 if there are any."""
    from pipeline.cli._checks import CheckState

    findings = _examine()
    for finding in findings:
        typer.echo(_line(finding))
    if any(finding.state is CheckState.WRONG for finding in findings):
        raise typer.Exit(1)


def _examine() -> list[Finding]:
    from pipeline.cli._checks import CheckState, Finding
    from pipeline.cli._names_check import check_names
    from pipeline.cli._setup import offer_sandbox, require_lifetimes
    from pipeline.cli.topics import quiet_client
    from pipeline.errors import ConfigurationError
    from pipeline.settings import load_settings

    quiet_client()
    try:
        settings = load_settings()
        require_lifetimes(settings)
    except ConfigurationError as error:
        return [Finding(CheckState.WRONG, "settings", str(error))]
    offer_sandbox(settings)
    known = f"{settings.partitions} partitions, {settings.replication} replicas of every topic"
    of_names = check_names(os.environ, settings.tenants)
    return [Finding(CheckState.OK, "settings", known), *of_names, *asyncio.run(_check_all(settings))]


async def _check_all(settings: Settings) -> list[Finding]:
    """Run all other checks concurrently."""
    from pipeline.cli import _checks
    from pipeline.cli._lag_check import check_lag
    from pipeline.cli._lifetimes import check_lifetimes
    from pipeline.cli._worker_check import check_workers

    of_tenants, tenants = _checks.check_tenants(settings)
    of_kafka, (of_lag, of_workers), of_lifetimes, of_redis, of_handlers, port = await asyncio.gather(
        _checks.check_kafka(settings, tenants),
        asyncio.gather(check_lag(settings, tenants), check_workers(settings)),
        check_lifetimes(settings, tenants),
        _checks.check_redis(settings),
        asyncio.to_thread(_checks.check_handlers, settings, tenants),
        asyncio.to_thread(_checks.check_port, settings),
    )
    of_replays = _checks.check_replays(settings, tenants)
    of_services = [*of_kafka, *of_lag, *of_workers, of_lifetimes, *of_redis]
    return [*of_tenants, *of_replays, *of_handlers, *of_services, _checks.check_data_dir(settings), port]


def _line(finding: Finding) -> str:
    colours = {"✓": "green", "!": "yellow", "✗": "red", "-": "bright_black"}
    return f"{typer.style(finding.state.value, fg=colours[finding.state.value])} {finding.name:<9} {finding.text}"
