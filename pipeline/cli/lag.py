"""`pipeline lag`: how far each app is behind, and how much of it more workers could help with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import ConfigurationError
from pipeline.topics.agents import AGENT
from pipeline.topics.catalogue import HANDLERS, sources

if TYPE_CHECKING:
    from pipeline.lag.report import LagReport


class GroupBy(StrEnum):
    """Values of `--by`."""

    APP = "app"
    PARTITION = "partition"


def lag(
    *,
    app: Annotated[
        str | None,
        typer.Option("--app", metavar="NAME", help="This app only; `handlers` is all lanes, `agent` all agents."),
    ] = None,
    by: Annotated[GroupBy, typer.Option(help="One line per app, or per partition that is behind.")] = GroupBy.APP,
    workers: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Address of a worker's health server; may be repeated. [PIPELINE_WORKERS]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Show how far each app is behind, in records and in time.

    What is sendable can be worked on now: more workers could help. What is held waits for something else: a limit, a
    retry, an account that is away. Only the workers know what they hold, so of partitions whose worker does not answer
    it is unknown.
    """
    from pipeline.cli._agents import topics_of_agents
    from pipeline.cli._setup import prepare
    from pipeline.cli.topics import quiet_client
    from pipeline.lag.report import lag_report

    quiet_client()
    settings, tenants = prepare()
    chosen = _chosen(sources(tenants.lanes, topics_of_agents(settings, tenants)), app)
    report = asyncio.run(lag_report(settings.kafka, chosen, worker_urls(workers, settings.workers)))
    _show(report, by, json)
    if any(each.problems for each in report.apps):
        raise typer.Exit(1)


def _show(report: LagReport, by: GroupBy, json: bool) -> None:
    from pipeline.lag import format as formats

    if json:
        lines = formats.as_json(report, by_partition=by is GroupBy.PARTITION)
    else:
        lines = formats.partition_table(report) if by is GroupBy.PARTITION else formats.app_table(report)
    for line in lines:
        typer.echo(line)
    for url, reason in report.silent.items():
        typer.echo(f"no answer from the worker {url} ({reason}): what it holds is unknown", err=True)


def _chosen(apps: Mapping[str, tuple[str, ...]], wanted: str | None) -> Mapping[str, tuple[str, ...]]:
    chosen = {
        name: topics
        for name, topics in apps.items()
        if wanted in (None, name) or (wanted in (HANDLERS, AGENT) and name.startswith(f"{wanted}-"))
    }
    if not chosen:
        raise typer.BadParameter(f"there is no app {wanted!r}: choose from {', '.join(apps)}")
    return chosen


def worker_urls(named: list[str] | None, configured: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses of the workers to ask. Raise for one that is wrong."""
    from pipeline.lag.workers import require_url

    urls = tuple(named or configured)
    try:
        for url in urls:
            require_url(url)
    except ConfigurationError as error:
        if named:
            raise typer.BadParameter(str(error)) from None
        raise ConfigurationError(f"PIPELINE_WORKERS: {error}") from None
    return urls
