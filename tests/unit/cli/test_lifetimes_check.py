"""The doctor's check that no command is left to retention, without a broker."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from pipeline.cli import _lifetimes
from pipeline.cli._checks import CheckState
from pipeline.settings import Settings
from pipeline.tenants import Tenants, TenantsFile

NEEDED = timedelta(days=4)


def _tenants(**lifetimes: float) -> Tenants:
    return Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme", "lifetimes": lifetimes}]}))


def test_the_longest_lifetime_of_any_tenant_counts() -> None:
    """One tenant's longer lifetime would be forgotten, and its commands left to retention."""
    found = [
        _lifetimes.command_retention(Settings(lifetimes=common), tenants).days
        for common, tenants in (({}, _tenants()), ({}, _tenants(bulk=864_000)), ({"text": 1_728_000}, _tenants()))
    ]
    assert found == [4, 11, 21]


def test_what_keeps_enough_is_not_told_of() -> None:
    """An operator would raise what is long enough."""
    assert _lifetimes.short_topics({"commands.bulk": 345_600.0}, NEEDED) == []
    assert _lifetimes.short_topics({}, NEEDED) == [], "kept for ever"
    assert _lifetimes.short_table(Settings(outcome_ttl=345_600), NEEDED) == []


def test_what_forgets_too_early_is_told_in_one_line_with_its_cure() -> None:
    """Commands would be removed while they wait, or be sent again because their outcome is forgotten."""
    (topic,) = _lifetimes.short_topics({"commands.bulk": 345_599.0, "commands.interactive": 400_000.0}, NEEDED)
    assert topic.startswith("commands.bulk keeps commands for 345599 s")
    assert "set its retention.ms to 345600000 or more" in topic
    (table,) = _lifetimes.short_table(Settings(outcome_ttl=60), NEEDED)
    assert "set PIPELINE_OUTCOME_TTL=345600 or more" in table


def test_without_tenants_or_a_broker_the_check_is_skipped() -> None:
    """The doctor would end in a traceback, or find well what it has not seen."""
    away = Settings(kafka="127.0.0.1:1")
    found = [asyncio.run(_lifetimes.check_lifetimes(away, tenants)).state for tenants in (None, _tenants())]
    assert found == [CheckState.SKIPPED] * 2
