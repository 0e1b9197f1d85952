"""The check that no command is left to retention: topics and table keep it until it has its outcome."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from pipeline.cli._checks import CheckState, Finding
from pipeline.errors import PipelineError
from pipeline.runtime.kafka import admin
from pipeline.topics.catalogue import COMMANDS
from pipeline.topics.lifetimes import GRACE, longest_lifetime, required_retention

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.tenants import Tenants


def command_retention(settings: Settings, tenants: Tenants) -> timedelta:
    """Return how long commands must be kept, by the longest lifetime of any tenant."""
    longest = longest_lifetime(settings.lifetimes, (tenant.lifetimes for tenant in tenants))
    return timedelta(seconds=required_retention(longest))


async def check_lifetimes(settings: Settings, tenants: Tenants | None) -> Finding:
    """Check that every command has its outcome before its record or its row is removed."""
    if tenants is None:
        return Finding(CheckState.SKIPPED, "lifetimes", "they follow from the tenants file")
    try:
        kept = await admin.retentions(settings.kafka, [topic.name for topic in COMMANDS])
    except PipelineError:  # `check_kafka` tells of it
        return Finding(CheckState.SKIPPED, "lifetimes", "Kafka is away")
    needed = command_retention(settings, tenants)
    wrong = [*short_topics(kept, needed), *short_table(settings, needed)]
    if wrong:
        return Finding(CheckState.WRONG, "lifetimes", "; ".join(wrong))
    ends = f"{needed.total_seconds() - GRACE:.0f} s"
    return Finding(CheckState.OK, "lifetimes", f"a command that can't be sent ends within {ends}, and is kept as long")


def short_topics(kept: Mapping[str, float], needed: timedelta) -> list[str]:
    """Return what to change about topics that remove commands before their end. `kept` is in seconds, by topic."""
    return [
        f"{name} keeps commands for {seconds:.0f} s, and they may wait for {needed.total_seconds():.0f}: "
        f"set its retention.ms to {math.ceil(needed / timedelta(milliseconds=1))} or more, or shorten `lifetimes`"
        for name, seconds in kept.items()
        if seconds < needed.total_seconds()
    ]


def short_table(settings: Settings, needed: timedelta) -> list[str]:
    """Return what to change if outcomes are forgotten while their commands may still be sent."""
    kept, wait = settings.outcome_ttl, needed.total_seconds()
    advice = f"set PIPELINE_OUTCOME_TTL={math.ceil(wait)} or more, or shorten `lifetimes`"
    return (
        [f"outcomes are remembered for {kept} s, and commands may wait for {wait:.0f}: {advice}"] if kept < wait else []
    )
