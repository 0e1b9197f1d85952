"""The lag of every partition of every app."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from aiokafka import TopicPartition

from pipeline.lag.workers import AppWork, WorkerAnswers, ask_workers
from pipeline.runtime.kafka.group_positions import LogBounds, PositionReader, Problem, open_positions
from pipeline.runtime.process.lag import LogPosition, PartitionLag, measure, total

TIMEOUT: Final = 10.0
"""Timeout for all requests to Kafka, in seconds."""
MISSING: Final = Problem("topic missing: run `pipeline topics create`")
CHANGELOG: Final = "-changelog"


class LagRow(NamedTuple):
    """The lag of one partition.

    Attributes:
        partition: its number; None for a topic that is missing.
        lag: its lag; None if it can't be measured.
        note: text for people: the problem of a partition that can't be measured, or a peculiarity of its position.
    """

    app: str
    topic: str
    partition: int | None
    lag: PartitionLag | None
    note: str = ""


@dataclass(slots=True)
class AppLag:
    """The lag of one app.

    Attributes:
        rows: its partitions, in order.
    """

    app: str
    rows: list[LagRow] = field(default_factory=list)

    @property
    def lag(self) -> PartitionLag:
        """The sum over the partitions that could be measured."""
        return total(row.lag for row in self.rows if row.lag is not None)

    @property
    def problems(self) -> dict[str, int]:
        """The reasons why partitions could not be measured, each with their number."""
        notes = [row.note for row in self.rows if row.lag is None]
        return {note: notes.count(note) for note in dict.fromkeys(notes)}


class LagReport(NamedTuple):
    """The lag of all apps.

    Attributes:
        silent: addresses of workers without an answer, each with the reason.
    """

    apps: list[AppLag]
    silent: Mapping[str, str]


async def lag_report(
    bootstrap: str, sources: Mapping[str, Collection[str]], workers: Collection[str], timeout: float = TIMEOUT
) -> LagReport:
    """Measure the lag of apps on the topics that they read. Raise `Unavailable` if Kafka does not answer.

    Args:
        sources: the topics of each app. Others that it has committed offsets of are measured, too.
        workers: URLs of the workers' health servers, for the parts of the lag.
        timeout: seconds for all requests to Kafka.
    """
    async with open_positions(bootstrap, timeout) as reader:
        answers, *apps = await asyncio.gather(
            ask_workers(workers), *(_positions(reader, app, topics) for app, topics in sources.items())
        )
        return await _measure_all(reader, apps, answers)


class _AppPositions(NamedTuple):
    """The partitions of one app with the group's committed offsets, and its topics that are missing."""

    app: str
    committed: Mapping[TopicPartition, int] | Problem
    partitions: list[TopicPartition]
    missing: list[str]


async def _positions(reader: PositionReader, app: str, topics: Collection[str]) -> _AppPositions:
    committed = await reader.committed(app)
    # A chain that is cut in two reads a topic that no catalogue knows.
    more = set() if isinstance(committed, Problem) else {tp.topic for tp in committed}
    others = sorted(topic for topic in more.difference(topics) if not topic.endswith(CHANGELOG))
    partitions = [tp for topic in (*topics, *others) for tp in reader.partitions(topic)]
    return _AppPositions(app, committed, partitions, [topic for topic in topics if not reader.partitions(topic)])


async def _measure_all(reader: PositionReader, apps: Collection[_AppPositions], answers: WorkerAnswers) -> LagReport:
    # Several apps may read one topic, and the broker refuses a request that names a partition twice.
    bounds = await reader.bounds(list(dict.fromkeys(tp for each in apps for tp in each.partitions)))
    found = [_measure_app(reader, each, bounds, answers.work.get(each.app, {})) for each in apps]
    return LagReport(list(await asyncio.gather(*found)), answers.silent)


async def _measure_app(
    reader: PositionReader,
    positions: _AppPositions,
    bounds: Mapping[TopicPartition, LogBounds | Problem],
    work: AppWork,
) -> AppLag:
    rows = await asyncio.gather(*(_row(reader, positions, tp, bounds[tp], work) for tp in positions.partitions))
    return AppLag(positions.app, [*rows, *_missing(positions)])


def _missing(positions: _AppPositions) -> Iterator[LagRow]:
    for topic in positions.missing:
        yield LagRow(positions.app, topic, None, None, MISSING)


async def _row(
    reader: PositionReader, positions: _AppPositions, tp: TopicPartition, log: LogBounds | Problem, work: AppWork
) -> LagRow:
    committed = positions.committed
    problem = log if isinstance(log, Problem) else committed
    if isinstance(log, Problem) or isinstance(committed, Problem):
        return LagRow(positions.app, tp.topic, tp.partition, None, str(problem))
    position, oldest = LogPosition(committed.get(tp), log.start, log.end), None
    if position.records:
        first = await reader.first_record(tp, position.next, log.end)
        position, oldest = position._replace(first=first.offset), first.timestamp
    lag = measure(position, work.get(tp), oldest, int(time.time() * 1000))
    return LagRow(positions.app, tp.topic, tp.partition, lag, _note(position))


def _note(position: LogPosition) -> str:
    if position.is_beyond_end:
        return f"recreated: the commit {position.committed} is beyond the end, {position.end}"
    if position.trimmed:
        return "records were removed before they were processed"
    return "no commit yet" if position.committed is None and position.records else ""
