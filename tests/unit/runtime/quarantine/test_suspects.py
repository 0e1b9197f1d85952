"""Finding the records that end their processes: all of them, no other, in a bounded number of deaths."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runtime.quarantine.suspects import (
    CLEAR,
    DEATHS,
    ELSEWHERE,
    GIVEN_UP,
    SPAN,
    SPARED,
    Running,
    Suspicion,
    decode,
    encode,
)

Record = tuple[int, int]
"""Partition and offset."""


class Died(Exception):
    """The process is gone."""


@dataclass
class World:
    """A broker with partitions, and one process after the other that works on them as the runtime does.

    Attributes:
        sizes: records of each partition.
        killers: sets of records; a process dies when all of one set run in it at once.
        finishing: some records finish before a death; else none does.
        hinting: what a process knows of its end: "right" (the record that it died of), "wrong" (any), "" (nothing).
    """

    sizes: list[int]
    killers: list[frozenset[Record]]
    rng: Random
    finishing: bool = True
    hinting: str = ""
    hint: Record | None = None
    hints: list[Record] = field(default_factory=list)
    again: bool = False
    positions: list[int] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)
    given_up: set[Record] = field(default_factory=set)
    deaths: int = 0
    killed: bool = False

    def __post_init__(self) -> None:
        self.positions = [0] * len(self.sizes)
        self.metadata = [""] * len(self.sizes)

    @property
    def _told(self) -> set[Running]:
        return {decode(metadata).running for metadata in self.metadata}

    @property
    def done(self) -> bool:
        return self.positions == self.sizes

    def live(self, patience: float = math.inf) -> None:
        """One process, until everything is done, until it dies, or is killed in round `patience` if none runs alone."""
        states = [
            decode(metadata).inherited(position, size, self._hint_in(part), again=self.again)
            for part, (metadata, position, size) in enumerate(
                zip(self.metadata, self.positions, self.sizes, strict=True)
            )
        ]
        try:
            while not self.done:
                self.killed = patience <= 0
                self._round(states)
                patience -= 1
        except Died:
            pass
        self.deaths += not self.done

    def _hint_in(self, part: int) -> int | None:
        if self.hint is None:
            return None
        return self.hint[1] if self.hint[0] == part else ELSEWHERE

    def _remember(self, running: set[Record]) -> None:
        """Notes the end of a process."""
        deadly = sorted(record for killers in self.killers if killers <= running for record in killers)
        known = {"right": deadly, "wrong": sorted(running), "": []}[self.hinting]
        self.hint = self.rng.choice(known) if known else None
        self.again = self.hint in self.hints
        self.hints += [self.hint] if self.hint else []

    def _round(self, states: list[Suspicion]) -> None:
        singles = [
            part
            for part, state in enumerate(states)
            if state.single(at := self.positions[part]) and not state.condemned(at)
        ]
        if singles:
            self._run_alone(states, singles[0])
        else:
            self._run_windows(states)

    def _run_alone(self, states: list[Suspicion], part: int) -> None:
        position = self.positions[part]
        for other, state in enumerate(states):
            self._commit(other, state.alone(position) if other == part else state.rested())
        self._run({part: position + 1}, states)

    def _run_windows(self, states: list[Suspicion]) -> None:
        windows = {}
        for part, state in enumerate(states):
            position, size = self.positions[part], self.sizes[part]
            if state.ends and state.condemned(position):
                self.given_up.add((part, position))
                self._move(states, part, position + 1)
            elif position < size:
                windows[part] = state.ends[0] if state.ends else size
                self._commit(part, state.in_window(position) if state.ends else state.taking())
        self._run(windows, states)

    def _run(self, windows: Mapping[int, int], states: list[Suspicion]) -> None:
        """Everything below these ends at once; what finishes before a death is up to chance."""
        running = {(part, offset) for part, end in windows.items() for offset in range(self.positions[part], end)}
        running -= self.given_up
        if any(killers <= running for killers in self.killers) or (self.killed and Running.ALONE not in self._told):
            for part, end in windows.items():
                deadly = [
                    at for killers in self.killers for p, at in killers if p == part and at >= self.positions[part]
                ]
                if self.finishing:
                    self._advance(part, self.rng.randint(self.positions[part], min([end, *deadly])))
            self._remember(running)
            raise Died
        for part, end in windows.items():
            self._move(states, part, end)

    def _advance(self, part: int, position: int) -> None:
        """Finished records are committed as they are, beside the state that stands there."""
        if position > self.positions[part]:
            state = decode(self.metadata[part])
            self.metadata[part] = encode(state) if state.ends else ""
            self.positions[part] = position

    def _move(self, states: list[Suspicion], part: int, position: int) -> None:
        self.positions[part] = position
        states[part] = states[part].survived(position)
        self._commit(part, states[part])

    def _commit(self, part: int, state: Suspicion) -> None:
        self.metadata[part] = encode(state)


def _bound(sizes: list[int], killers: int) -> int:
    """Deaths: those that make suspect, and for each killer its halvings, its own, and some that start over."""
    return 3 + killers * (math.ceil(math.log2(max(sizes))) + 1 + DEATHS + 3)


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[list[int], set[Record], int]:
    sizes = draw(st.lists(st.integers(1, 1_000), min_size=1, max_size=8))
    places = st.integers(0, len(sizes) - 1).flatmap(
        lambda part: st.tuples(st.just(part), st.integers(0, sizes[part] - 1))
    )
    return sizes, draw(st.sets(places, max_size=6)), draw(st.integers(0, 99))


@settings(max_examples=300, deadline=None)
@given(_worlds(), st.booleans())
def test_every_killer_is_found_nothing_else_is_blamed_and_deaths_are_bounded(
    world: tuple[list[int], set[Record], int], finishing: bool
) -> None:
    """A lane would stay down for ever, or a customer's message be thrown away for another one's fault."""
    sizes, killers, seed = world
    made = World(sizes, [frozenset({killer}) for killer in killers], Random(seed), finishing)
    while not made.done:
        made.live()
        assert made.deaths <= _bound(sizes, len(killers)) * (2 if finishing else 1)
    assert made.given_up == killers


@settings(max_examples=200, deadline=None)
@given(_worlds(), st.booleans(), st.sampled_from(["right", "wrong"]))
def test_hints_blame_nobody_and_hide_nobody(
    world: tuple[list[int], set[Record], int], finishing: bool, hinting: str
) -> None:
    """A record that happened to run when a machine lost its power would be thrown away, or the guilty one spared."""
    sizes, killers, seed = world
    made = World(sizes, [frozenset({killer}) for killer in killers], Random(seed), finishing, hinting)
    while not made.done:
        made.live()
        assert made.deaths <= (_bound(sizes, len(killers)) + SPARED) * (2 if finishing else 1) * 2
    assert made.given_up == killers


@settings(max_examples=200, deadline=None)
@given(_worlds(), st.booleans())
def test_right_hints_need_no_halving_however_far_ahead_a_killer_is(
    world: tuple[list[int], set[Record], int], finishing: bool
) -> None:
    """A worker with a backlog would die dozens of times of a record that it can name, getting on a little each time."""
    sizes, killers, seed = world
    made = World(sizes, [frozenset({killer}) for killer in killers], Random(seed), finishing, hinting="right")
    while not made.done:
        made.live()
        assert made.deaths <= len(killers) * (3 + DEATHS) + SPARED, "found, found again, beside another, alone"
    assert made.given_up == killers


@settings(max_examples=100, deadline=None)
@given(_worlds(), _worlds())
def test_records_that_kill_only_together_are_never_blamed(
    world: tuple[list[int], set[Record], int], other: tuple[list[int], set[Record], int]
) -> None:
    """Two messages that are harmless each by itself would be thrown away."""
    sizes, killers, seed = world
    pair = frozenset(sorted(killers)[:2])
    if len(pair) < 2:
        return
    made = World(sizes, [pair], Random(seed), finishing=False)
    while not made.done:
        made.live()
        assert made.deaths <= _bound(sizes, 2)
    assert not made.given_up


@settings(max_examples=200, deadline=None)
@given(_worlds(), st.lists(st.integers(0, 4), max_size=30))
def test_kills_at_random_blame_nobody(world: tuple[list[int], set[Record], int], patience: list[int]) -> None:
    """An operator who restarts workers, or a machine short of memory, would have messages thrown away."""
    sizes, _, seed = world
    made = World(sizes, [], Random(seed))
    for rounds in patience:
        made.live(rounds)
    made.live()
    assert made.done
    assert not made.given_up


def test_one_death_or_two_with_progress_change_nothing() -> None:
    """A worker would work slowly after every kill, or after every deployment."""
    assert CLEAR.taking().inherited(5, 90).ends == ()
    assert decode("").inherited(5, 90) == CLEAR
    assert CLEAR.taking().rested() == CLEAR
    twice = CLEAR.taking().inherited(5, 90).taking()
    assert twice.needs_end
    assert twice.inherited(5, 5) == CLEAR
    assert twice.inherited(5, 10 * SPAN).ends[-1] == 5 + SPAN
    assert twice.inherited(5, 9) == Suspicion(ends=(7, 9))


def test_a_death_counts_only_while_the_record_ran_alone() -> None:
    """A record that was merely in the same process would be blamed."""
    alone = Suspicion(ends=(8, 9)).alone(7)
    assert alone.inherited(7) == Suspicion(ends=(8, 9), at=7, deaths=1)
    assert alone.rested().inherited(7) == Suspicion(ends=(8, 9), at=7)
    assert alone.inherited(8) == Suspicion(ends=(9,))
    assert alone.inherited(6) == Suspicion(ends=(7, 8, 9), at=7, deaths=1)
    assert Suspicion(ends=(8, 9), running=Running.WINDOW, at=7, deaths=1).inherited(7).deaths == 1


def test_a_single_record_that_dies_in_front_of_a_known_killer_is_looked_at_itself() -> None:
    """Two killers side by side would each keep the other from being counted."""
    window = Suspicion(ends=(8, 9), running=Running.WINDOW, at=8, deaths=2)
    assert window.inherited(7) == Suspicion(ends=(8, 9))
    assert replace(window, running=Running.NOTHING).inherited(7).deaths == 2


@pytest.mark.parametrize(
    "metadata", [None, "", "somebody else's", "[1]", '[9,1,[5],"",-1,0]', "{}", "null", '[1,1,[5],"x",0,0]']
)
def test_metadata_of_somebody_else_says_nothing(metadata: str | None) -> None:
    """A worker would not start where a tool has written a note of its own beside an offset."""
    assert decode(metadata) == CLEAR


@given(
    st.builds(
        Suspicion,
        st.integers(0, 9),
        st.lists(st.integers(0, 2**62), max_size=14).map(tuple),
        st.sampled_from(Running),
        st.integers(-1, 2**62),
        st.integers(0, 9),
        st.lists(st.integers(0, 2**62), max_size=GIVEN_UP).map(tuple),
    )
)
def test_a_state_is_read_back_as_it_was_and_fits(state: Suspicion) -> None:
    """The broker would refuse a commit, or a worker forget what others had died for."""
    assert decode(encode(state)) == state
    assert len(encode(state)) < 4_096
