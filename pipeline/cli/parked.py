"""`pipeline parked`: the records that wait apart from their partition, by key, and what they wait for."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from pipeline.cli._dead_letter_options import Reveal
from pipeline.cli.lag import worker_urls
from pipeline.errors import ConfigurationError


def parked(
    *,
    app: Annotated[str | None, typer.Option("--app", metavar="NAME", help="This app only.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="ID", help="This tenant only.")] = None,
    workers: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Address of a worker's health server; may be repeated. [PIPELINE_WORKERS]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    reveal: Reveal = False,
) -> None:
    """Show the parked records of each key, the oldest first.

    A record is parked when it can't be worked on soon, so that others need not wait behind it. It comes back in order.
    Exit status 1 if a worker does not answer: its keys are missing then.
    """
    from pipeline.cli._setup import configured
    from pipeline.parked import format as formats
    from pipeline.parked.find import find_parked

    settings = configured()
    urls = worker_urls(workers, settings.workers)
    if not urls:
        raise ConfigurationError("no worker to ask: set PIPELINE_WORKERS, or name one with --workers")
    report = asyncio.run(find_parked(urls, app, tenant, reveal=reveal))
    for line in formats.as_json(report.queues) if json else formats.as_table(report.queues):
        typer.echo(line)
    for url, reason in report.silent.items():
        typer.echo(f"no answer from the worker {url} ({reason}): what it has parked is missing here", err=True)
    if report.silent:
        raise typer.Exit(1)
