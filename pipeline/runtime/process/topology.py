"""The topology of a worker's apps, for `/topology`: what each reads, through which stages, and what it keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol


class DescribedApp(Protocol):
    """The part of an app that its topology tells."""

    @property
    def dead_letters(self) -> Mapping[str, Iterable[str]]:
        """The dead-letter topics of each source."""

    @property
    def stages(self) -> Mapping[str, Iterable[str]]:
        """The stages of each source, in order."""

    @property
    def plain_topics(self) -> Iterable[str]:
        """The topics that plain Faust agents read."""

    @property
    def tables(self) -> Any:
        """The tables by name."""


def describe(app: DescribedApp) -> dict[str, Any]:
    """Return an app's flows by source topic, the topics of plain agents, and the changelogs of its tables."""
    flows = {
        source: {"stages": list(stages), "dead_letters": sorted(app.dead_letters[source])}
        for source, stages in sorted(app.stages.items())
    }
    changelogs = {name: str(table.changelog_topic_name) for name, table in sorted(app.tables.items())}
    return {"flows": flows, "plain_agents_read": sorted(app.plain_topics), "tables": changelogs}
