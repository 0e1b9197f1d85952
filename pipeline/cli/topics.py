"""`pipeline topics {list,create,check}`: the catalogue, and whether the broker has it so."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.tenants import Tenants
    from topics.catalogue import Topic

Answer = TypeVar("Answer")

app = typer.Typer(help="Show, create and check the topics of this installation.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """Show every topic: partitions, key, retention, cleanup and purpose. Needs no broker."""
    settings, topics = _prepare()
    for line in table(topics, settings.partitions):
        typer.echo(line)


@app.command()
def create() -> None:
    """Create the topics that are missing. Those that exist stay as they are; their partitions must fit."""
    from pipeline.runtime import admin

    settings, topics = _prepare()
    made = _ask(admin.create(settings.kafka, topics, settings.partitions, settings.replication))
    for name in made:
        typer.echo(f"created {name}")
    typer.echo(f"{len(made)} created, {len(topics) - len(made)} were there")
    _ask(admin.require_topics(settings.kafka, [topic.name for topic in topics], settings.partitions))


@app.command()
def check() -> None:
    """Compare the broker's topics with the catalogue; print the differences, exit status 1 if there are any."""
    from pipeline.runtime import admin

    settings, topics = _prepare()
    differences = _ask(admin.check(settings.kafka, topics, settings.partitions, settings.replication))
    for difference in differences:
        typer.echo(str(difference))
    if differences:
        raise typer.Exit(1)
    typer.echo(f"{len(topics)} topics are as they should be")


def installed(settings: Settings, tenants: Tenants) -> list[Topic]:
    """The catalogue of this installation."""
    from topics.catalogue import catalogue

    return catalogue(
        tenants.lanes,
        dedup_ttl=timedelta(seconds=settings.dedup_ttl),
        outcome_ttl=timedelta(seconds=settings.outcome_ttl),
    )


def table(topics: list[Topic], partitions: int) -> list[str]:
    """The catalogue as lines of text in columns, the first of them the heading."""
    rows = [("TOPIC", "PARTITIONS", "KEY", "RETENTION", "CLEANUP", "PURPOSE")]
    rows += [(t.name, str(partitions), t.keyed_by, _span(t.retention), t.cleanup, t.purpose) for t in topics]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _span(span: timedelta) -> str:
    """`7 d`, or hours where days don't fit."""
    days, rest = divmod(span, timedelta(days=1))
    return f"{span / timedelta(hours=1):g} h" if rest else f"{days} d"


def _prepare() -> tuple[Settings, list[Topic]]:
    from pipeline.cli._setup import prepare

    settings, tenants = prepare()
    return settings, installed(settings, tenants)


def _ask(question: Coroutine[Any, Any, Answer]) -> Answer:
    quiet_client()
    return asyncio.run(question)


def quiet_client() -> None:
    """Silences the Kafka client's own lines: ours says the same in one."""
    if not os.environ.get("PIPELINE_DEBUG"):
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
