"""The doctor's check of the lag: one finding per app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cli._checks import SERVICE_TIMEOUT, CheckState, Finding
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.lag.report import AppLag
    from pipeline.runtime.process.lag import PartitionLag
    from pipeline.settings import Settings
    from pipeline.tenants import Tenants


async def check_lag(settings: Settings, tenants: Tenants | None) -> list[Finding]:
    """Warn of apps that have records to work on which are older than `PIPELINE_LAG_WARNING`."""
    from pipeline.cli._agents import topics_of_agents
    from pipeline.lag.report import lag_report
    from pipeline.lag.workers import require_url
    from pipeline.topics.catalogue import sources

    if tenants is None:
        return [Finding(CheckState.SKIPPED, "lag", "the apps follow from the tenants file")]
    try:
        for url in settings.workers:
            require_url(url)
    except PipelineError as error:
        return [Finding(CheckState.WRONG, "lag", f"PIPELINE_WORKERS: {error}")]
    try:
        apps = sources(tenants.lanes, topics_of_agents(settings, tenants))
    except PipelineError:
        return [Finding(CheckState.SKIPPED, "lag", "the agents' topics follow from the agents")]
    try:
        report = await lag_report(settings.kafka, apps, settings.workers, SERVICE_TIMEOUT)
    except PipelineError:
        return [Finding(CheckState.SKIPPED, "lag", "Kafka is away")]
    return [finding_of(app, settings.lag_warning) for app in report.apps]


def finding_of(app: AppLag, warn_after: float) -> Finding:
    """Return the finding of one app: a warning above `warn_after` seconds, or if something can't be measured."""
    from pipeline.lag.format import not_measured

    if not any(row.lag for row in app.rows):
        return Finding(CheckState.SKIPPED, "lag", f"{app.app}: {'; '.join(app.problems)}")
    lag, text = app.lag, f"{app.app}: {_describe(app.lag)}"
    if app.problems:
        return Finding(CheckState.WARNING, "lag", f"{text}; {not_measured(app)}")
    # An age that nobody knows is no reason to warn; the number of records is shown.
    if (_workable_age(lag) or 0.0) > warn_after:
        advice = "add workers, or see what slows them" if not lag.unknown else "see `pipeline lag --by partition`"
        return Finding(CheckState.WARNING, "lag", f"{text}: {advice}")
    return Finding(CheckState.OK, "lag", text)


def _describe(lag: PartitionLag) -> str:
    from pipeline.lag.format import age

    if not lag.records:
        return "nothing behind"
    parts = [f"{lag.sendable:,} sendable, the oldest {age(lag.sendable_seconds)}"] if lag.sendable else []
    parts += [f"{lag.held:,} held, the oldest {age(lag.held_seconds)}"] if lag.held else []
    if lag.unknown:
        parts.append(f"{lag.unknown:,} behind of which no worker says more, the oldest {age(lag.seconds)}")
    return "; ".join(parts)


def _workable_age(lag: PartitionLag) -> float | None:
    """Return the age of the oldest record that may be worked on. One of which nothing is known may be."""
    return lag.seconds if lag.unknown else lag.sendable_seconds
