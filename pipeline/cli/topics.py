"""`pipeline topics {list,create,check}`: the catalogue of topics, and its comparison with the broker."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from pipeline.topics.installation import TOPIC as INSTALLATION

if TYPE_CHECKING:
    from pipeline.runtime.kafka.admin import Difference
    from pipeline.settings import Settings
    from pipeline.tenants import Tenants
    from pipeline.topics.catalogue import Topic

Answer = TypeVar("Answer")

app = typer.Typer(help="Show, create and check the topics of this installation.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """Show every topic of the catalogue: partitions, key, retention, cleanup and purpose. Needs no broker."""
    settings, topics = _prepare()
    for line in table(topics, settings.partitions):
        typer.echo(line)


@app.command()
def create() -> None:
    """Create the topics that are missing, and record their partition count. Existing topics are not changed."""
    from pipeline.cli._agents import start_new_agents, topics_of_agents
    from pipeline.cli._setup import prepare
    from pipeline.runtime.kafka import installation

    settings, tenants = prepare()
    topics, agents = installed(settings, tenants), topics_of_agents(settings, tenants)
    made, recorded = _run(installation.create(settings.kafka, topics, settings.partitions, settings.replication))
    for name in made:
        typer.echo(f"created {name}")
    typer.echo(f"{len(made)} created, {len(topics) - len(made)} existed")
    if recorded:
        keyed = sum(topic.partitions is None for topic in topics)
        typer.echo(
            f"recorded {settings.partitions} partitions for {keyed} topics: from now on nothing takes another count"
        )
    for name in _run(start_new_agents(settings.kafka, agents)):
        typer.echo(f"the agent {name} is new: it begins with the records from now on")


@app.command()
def check() -> None:
    """Compare the broker's topics with the catalogue; print the differences, exit status 1 if there are any."""
    from pipeline.cli._lifetimes import command_retention, short_table
    from pipeline.cli._setup import prepare

    settings, tenants = prepare()
    topics = installed(settings, tenants)
    short = short_table(settings, command_retention(settings, tenants))
    differences = [*map(str, _run(differing(settings, topics))), *short]
    for difference in differences:
        typer.echo(difference)
    if differences:
        raise typer.Exit(1)
    typer.echo(f"{len(topics)} topics match the catalogue")


async def differing(settings: Settings, topics: list[Topic]) -> list[Difference]:
    """Return the differences between the broker, the catalogue and the recorded partition counts."""
    from pipeline.runtime.kafka import admin, installation

    found = await admin.check(settings.kafka, topics, settings.partitions, settings.replication)
    if any(each.what == "topic" for each in found):  # creating what is missing records it, too
        return found
    recorded = (await installation.read(settings.kafka)).partitions
    if recorded != settings.partitions:
        actual = "missing (run `pipeline topics create`)" if recorded is None else str(recorded)
        found.append(admin.Difference(INSTALLATION, "recorded partition count", str(settings.partitions), actual))
    return found


def installed(settings: Settings, tenants: Tenants) -> list[Topic]:
    """Return the catalogue of this installation."""
    from pipeline.cli._agents import topics_of_agents
    from pipeline.cli._lifetimes import command_retention
    from pipeline.topics.catalogue import catalogue

    return catalogue(
        tenants.lanes,
        dedup_ttl=timedelta(seconds=settings.dedup_ttl),
        outcome_ttl=timedelta(seconds=settings.outcome_ttl),
        command_retention=command_retention(settings, tenants),
        agents=topics_of_agents(settings, tenants),
    )


def table(topics: list[Topic], partitions: int) -> list[str]:
    """Return the catalogue as lines of text in columns, with a heading."""
    rows = [("TOPIC", "PARTITIONS", "KEY", "RETENTION", "CLEANUP", "PURPOSE")]
    rows += [(t.name, str(t.partitions or partitions), t.keyed_by, _kept(t), t.cleanup, t.purpose) for t in topics]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _kept(topic: Topic) -> str:
    return "for ever" if topic.cleanup == "compact" else _span(topic.retention)


def _span(span: timedelta) -> str:
    """Return a time as `7 d`, or in hours if it is not a number of days."""
    days, rest = divmod(span, timedelta(days=1))
    return f"{span / timedelta(hours=1):g} h" if rest else f"{days} d"


def _prepare() -> tuple[Settings, list[Topic]]:
    from pipeline.cli._setup import prepare

    settings, tenants = prepare()
    return settings, installed(settings, tenants)


def _run(question: Coroutine[Any, Any, Answer]) -> Answer:
    quiet_client()
    return asyncio.run(question)


def quiet_client() -> None:
    """Silence the log lines of the Kafka client: our error says the same in one line."""
    if not os.environ.get("PIPELINE_DEBUG"):
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
