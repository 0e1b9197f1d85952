"""Finding dead letters: which there are, how each of them stands, who decided what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.replay.reader import Reader, Span
from pipeline.topics.dead_letters import PREFIX, Letter, LetterId, Mark, Origin, State, read

_CODES: Final = tuple(State)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which letters are meant. None and empty stand for any.

    Attributes:
        ids: letters that are named by where they lie; `origins`: by where their records lie; `traces`: by trace id.
            Where letters are named, one of the three is enough.
        since: failed then or later, in ms since the epoch.
        until: failed before then, in ms since the epoch.
    """

    tenant: str | None = None
    error_type: str | None = None
    since: int | None = None
    until: int | None = None
    states: Collection[State] = ()
    ids: Collection[LetterId] = ()
    origins: Collection[Origin] = ()
    traces: Collection[str] = ()

    @property
    def named(self) -> bool:
        """Whether letters are named, by their ids or otherwise."""
        return bool(self.ids or self.origins or self.traces)

    def names(self, letter: Letter) -> bool:
        return letter.id in self.ids or letter.origin in self.origins or letter.trace_id in self.traces

    def match(self, letter: Letter, state: State) -> bool:
        """Whether the letter is meant, as it stands."""
        return (
            (not self.states or state in self.states)
            and (not self.named or self.names(letter))
            and (self.tenant is None or self.tenant == letter.tenant)
            and (self.error_type is None or self.error_type == letter.error_type)
            and (self.since is None or letter.failed_at >= self.since)
            and (self.until is None or letter.failed_at < self.until)
        )


class Found(NamedTuple):
    letter: Letter
    state: State


class Ledger:
    """How the letters of one span stand: a byte for each offset, so that millions of them fit."""

    def __init__(self, span: Span) -> None:
        self._start = span.start
        self._states = bytearray(max(0, span.end - span.start))

    def note(self, mark: Mark) -> None:
        """A later decision replaces an earlier one. One about a letter before the span says nothing here."""
        place = mark.letter.offset - self._start
        if 0 <= place < len(self._states):
            self._states[place] = _CODES.index(mark.state)

    def state(self, offset: int) -> State:
        return _CODES[self._states[offset - self._start]]


async def find(reader: Reader, stage: str, partitions: Iterable[int], filters: Filters) -> AsyncIterator[Found]:
    """The letters of one stage that pass, in order of their partitions and offsets.

    Each partition is read twice, since what was decided lies behind the letters. A letter is written after it
    failed, so nothing that failed at `filters.since` lies before the first record of that time.
    """
    # an origin and a trace do not say where the letter lies
    places = () if filters.origins or filters.traces else filters.ids
    wanted = [each for each in partitions if not places or each in {letter.partition for letter in places}]
    for span in await reader.spans(PREFIX + stage, wanted, filters.since):
        part = _around(span, places)
        ledger = await _decisions(reader, part)
        async for letter in _letters(reader, part):
            state = ledger.state(letter.id.offset)
            if filters.match(letter, state):
                yield Found(letter, state)


async def history(reader: Reader, letter: LetterId) -> list[Mark]:
    """Everything that was decided about one letter, oldest first."""
    (span,) = await reader.spans(PREFIX + letter.stage, [letter.partition])
    behind = span._replace(start=max(span.start, letter.offset))
    return [mark async for mark in _marks(reader, behind) if mark.letter == letter]


def _around(span: Span, ids: Collection[LetterId]) -> Span:
    """From the first of `ids` on: what was decided about them lies behind it."""
    offsets = [letter.offset for letter in ids if letter.partition == span.partition]
    return span._replace(start=max(span.start, min(offsets, default=span.start)))


async def _decisions(reader: Reader, span: Span) -> Ledger:
    ledger = Ledger(span)
    async for mark in _marks(reader, span):
        ledger.note(mark)
    return ledger


async def _marks(reader: Reader, span: Span) -> AsyncIterator[Mark]:
    async for record in reader.read(span):
        if isinstance(entry := read(record), Mark):
            yield entry


async def _letters(reader: Reader, span: Span) -> AsyncIterator[Letter]:
    async for record in reader.read(span):
        if isinstance(entry := read(record), Letter):
            yield entry
