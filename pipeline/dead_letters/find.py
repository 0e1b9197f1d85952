"""Find dead letters, with their states and resolutions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.replay.reader import PartitionRange, TopicReader
from pipeline.topics.dead_letters import (
    PREFIX,
    DeadLetter,
    DeadLetterId,
    DeadLetterState,
    RecordPosition,
    Resolution,
    parse_dead_letter,
)

_CODES: Final = tuple(DeadLetterState)


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Selects dead letters. None and empty match any.

    Attributes:
        ids: positions of dead letters.
        origins: positions of the records that failed.
        traces: trace ids. A dead letter that matches one of `ids`, `origins` and `traces` is selected.
        since: failed at this time or later, in ms since the epoch.
        until: failed before this time, in ms since the epoch.
    """

    tenant: str | None = None
    error_type: str | None = None
    since: int | None = None
    until: int | None = None
    states: Collection[DeadLetterState] = ()
    ids: Collection[DeadLetterId] = ()
    origins: Collection[RecordPosition] = ()
    traces: Collection[str] = ()

    @property
    def by_name(self) -> bool:
        """Return True if the filter names dead letters, by an id, an origin or a trace."""
        return bool(self.ids or self.origins or self.traces)

    def names(self, letter: DeadLetter) -> bool:
        """Return True if the filter names this dead letter."""
        return letter.id in self.ids or letter.origin in self.origins or letter.trace_id in self.traces

    def matches(self, letter: DeadLetter, state: DeadLetterState) -> bool:
        """Return True if the filter selects a dead letter in this state."""
        return (
            (not self.states or state in self.states)
            and (not self.by_name or self.names(letter))
            and (self.tenant is None or self.tenant == letter.tenant)
            and (self.error_type is None or self.error_type == letter.error_type)
            and (self.since is None or letter.failed_at >= self.since)
            and (self.until is None or letter.failed_at < self.until)
        )


class FoundDeadLetter(NamedTuple):
    """A dead letter and its state."""

    letter: DeadLetter
    state: DeadLetterState


class StateTable:
    """The states of the dead letters of one range: one byte per offset, so that millions of them fit into memory."""

    def __init__(self, part: PartitionRange) -> None:
        self._start = part.start
        self._states = bytearray(max(0, part.end - part.start))

    def record(self, resolution: Resolution) -> None:
        """Record a resolution; a later one replaces an earlier one. Ignore dead letters before the range."""
        index = resolution.letter.offset - self._start
        if 0 <= index < len(self._states):
            self._states[index] = _CODES.index(resolution.state)

    def state(self, offset: int) -> DeadLetterState:
        """Return the state of the dead letter at an offset."""
        return _CODES[self._states[offset - self._start]]


async def find(
    reader: TopicReader, stage: str, partitions: Iterable[int], filters: DeadLetterFilter
) -> AsyncIterator[FoundDeadLetter]:
    """Yield the dead letters of one stage that the filter selects, ordered by partition and offset.

    Each partition is read twice, because resolutions lie behind their dead letters. A dead letter is written after its
    record failed, so reading starts at the first record that was written at `filters.since`.
    """
    # an origin or a trace does not tell the partition of the dead letter
    ids = () if filters.origins or filters.traces else filters.ids
    wanted = [each for each in partitions if not ids or each in {letter.partition for letter in ids}]
    for whole in await reader.ranges(PREFIX + stage, wanted, filters.since):
        part = _from_first(whole, ids)
        states = await _load_states(reader, part)
        async for letter in _letters(reader, part):
            state = states.state(letter.id.offset)
            if filters.matches(letter, state):
                yield FoundDeadLetter(letter, state)


async def history(reader: TopicReader, letter: DeadLetterId) -> list[Resolution]:
    """Return all resolutions of one dead letter, oldest first."""
    (found,) = await reader.ranges(PREFIX + letter.stage, [letter.partition])
    behind = found._replace(start=max(found.start, letter.offset))
    return [resolution async for resolution in _resolutions(reader, behind) if resolution.letter == letter]


def _from_first(part: PartitionRange, ids: Collection[DeadLetterId]) -> PartitionRange:
    """Return the part of the range that begins at the first of `ids`: their resolutions lie behind it."""
    offsets = [letter.offset for letter in ids if letter.partition == part.partition]
    return part._replace(start=max(part.start, min(offsets, default=part.start)))


async def _load_states(reader: TopicReader, part: PartitionRange) -> StateTable:
    states = StateTable(part)
    async for resolution in _resolutions(reader, part):
        states.record(resolution)
    return states


async def _resolutions(reader: TopicReader, part: PartitionRange) -> AsyncIterator[Resolution]:
    async for record in reader.read(part):
        if isinstance(entry := parse_dead_letter(record), Resolution):
            yield entry


async def _letters(reader: TopicReader, part: PartitionRange) -> AsyncIterator[DeadLetter]:
    async for record in reader.read(part):
        if isinstance(entry := parse_dead_letter(record), DeadLetter):
            yield entry
