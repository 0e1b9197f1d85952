"""What an event sees of a store: its own writes, over rows that hold still, committed as operations."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given

from pipeline.errors import Conflict, NoActiveEvent, Unavailable
from pipeline.state import MemoryStore
from pipeline.state.buffer import BufferedRows
from pipeline.state.encoding import Fields
from tests.support.state_programs import PROGRAMS, Step, run, state


def still() -> MemoryStore:
    return MemoryStore(lambda: 0.0)


@given(PROGRAMS, PROGRAMS)
def test_a_buffered_program_means_what_a_direct_one_means(before: list[Step], program: list[Step]) -> None:
    """If buffering changed a program's results or its rows, handlers would behave unlike every other user of caches."""

    async def body() -> None:
        direct, store = still(), still()
        await run(direct, before, "{t}")
        await run(store, before, "{t}")
        buffered = BufferedRows(store)
        assert await run(buffered, program, "{t}") == await run(direct, program, "{t}")
        assert await state(buffered, "{t}") == await state(direct, "{t}")
        await store.commit(buffered.changes)
        assert await state(store, "{t}") == await state(direct, "{t}")

    asyncio.run(body())


@given(PROGRAMS)
def test_nothing_shows_before_the_commit(program: list[Step]) -> None:
    """If a buffered write reached the store early, a handler that fails would leave traces."""

    async def body() -> None:
        store = still()
        await run(BufferedRows(store), program, "{t}")
        assert await state(store, "{t}") == [(None, -2), (None, -2)]

    asyncio.run(body())


def test_increments_and_appends_of_others_are_kept() -> None:
    """If a commit wrote back what the event had read, counts of other conversations on a shared row would be lost."""

    async def body() -> None:
        store = still()
        mine = BufferedRows(store)
        assert await mine.increment("{t}:a", "n", 1, None) == 1
        assert await mine.append("{t}:a", "l", b'"mine"', None)
        assert await mine.increment("{t}:a", "n", 1, None) == 2
        await store.increment("{t}:a", "n", 10, None)
        await store.append("{t}:a", "l", b'"theirs"', None)
        await store.put("{t}:a", "other", b"1", None)
        assert await mine.field("{t}:a", "n") == b"2"
        await store.commit(mine.changes)
        assert await store.row("{t}:a") == {"n": b"12", "l": b'["theirs","mine"]', "other": b"1"}

    asyncio.run(body())


def test_a_field_that_changed_its_type_is_a_conflict() -> None:
    """If an increment met a text at the commit and was dropped, a count would be lost without a word."""

    async def body() -> None:
        store = still()
        mine = BufferedRows(store)
        await mine.increment("{t}:a", "n", 1, None)
        await store.put("{t}:a", "n", b'"text"', None)
        with pytest.raises(Conflict):
            await store.commit(mine.changes)

    asyncio.run(body())


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ([("row", "a"), ("replace", "a", {"n": b"2"}, None)], ("put", "a", "n", b"5", None)),
        ([("row", "a"), ("replace", "a", {"n": b"2"}, None)], ("put", "a", "new", b"5", None)),
        ([("row", "a"), ("replace", "a", {"n": b"2"}, None)], ("remove", "a")),
        ([("row", "b"), ("replace", "b", {"n": b"2"}, None)], ("put", "b", "n", b"5", None)),
        ([("exists", "b"), ("put", "b", "n", b"2", None)], ("put", "b", "n", b"5", None)),
        ([("field", "a", "n"), ("put", "a", "n", b"2", None)], ("increment", "a", "n", 1, None)),
        ([("drop", "a", "n")], ("increment", "a", "n", 1, None)),
        ([("remove", "a")], ("append", "a", "l", b"1", None)),
        ([("swap", "b", None, {"n": b"1"}, None)], ("put", "b", "n", b"5", None)),
        (
            [("row", "a"), ("replace", "a", {}, None), ("replace", "a", {"n": b"2"}, None)],
            ("put", "a", "n", b"5", None),
        ),
    ],
)
def test_what_was_read_and_written_is_not_overwritten(mine: list[Step], theirs: Step) -> None:
    """If a row that two events read and wrote took the later one only, one of two payments would be forgotten."""

    async def body() -> None:
        store = still()
        await store.put("{t}:a", "n", b"1", None)
        rows = BufferedRows(store)
        await run(rows, mine, "{t}")
        await run(store, [theirs], "{t}")
        before = await state(store, "{t}")
        with pytest.raises(Conflict):
            await store.commit(rows.changes)
        assert await state(store, "{t}") == before

    asyncio.run(body())


@pytest.mark.parametrize(
    "mine",
    [
        [("replace", "a", {"n": b"2"}, None)],
        [("put", "a", "n", b"2", None)],
        [("increment", "a", "n", 1, None), ("replace", "a", {"n": b"2"}, None)],
        [("row", "a"), ("put", "a", "other", b"2", None)],
        [("row", "a"), ("increment", "a", "n", 1, None), ("append", "a", "l", b"1", None)],
    ],
)
def test_what_was_not_read_conflicts_with_nobody(mine: list[Step]) -> None:
    """If blind writes, counts and other fields conflicted, events that share a busy row would be handled for ever."""

    async def body() -> None:
        store = still()
        await store.put("{t}:a", "n", b"1", None)
        rows = BufferedRows(store)
        await run(rows, mine, "{t}")
        await store.put("{t}:a", "n", b"5", None)
        await store.commit(rows.changes)

    asyncio.run(body())


class Away(MemoryStore):
    """A store that is away for its first read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    async def row(self, key: str) -> Fields | None:
        self.reads += 1
        if self.reads == 1:
            raise Unavailable("away")
        return await super().row(key)


def test_a_failure_is_remembered_though_the_handler_went_on() -> None:
    """If a handler that catches everything could commit after a failed read, an outage would answer users wrongly."""

    async def body() -> None:
        rows = BufferedRows(Away())
        with pytest.raises(Unavailable):
            await rows.row("{t}:a")
        assert await rows.row("{t}:a") is None
        assert isinstance(rows.failure, Unavailable)

    asyncio.run(body())


def test_a_failure_to_read_an_expiry_is_remembered_too() -> None:
    """If an expiry that could not be read passed for none, a handler would renew what it should have left alone."""

    class NoExpiries(MemoryStore):
        async def ttl(self, key: str) -> int:
            raise Unavailable("away")

    async def body() -> None:
        store = NoExpiries()
        await store.put("{t}:a", "x", b"1", None)
        rows = BufferedRows(store)
        with pytest.raises(Unavailable):
            await rows.ttl("{t}:a")
        assert isinstance(rows.failure, Unavailable)

    asyncio.run(body())


@pytest.mark.parametrize(
    "step",
    [
        ("replace", "a", {"x": b"1"}, None),
        ("put", "a", "x", b"1", None),
        ("increment", "a", "n", 1, None),
        ("append", "a", "l", b"1", None),
        ("remove", "a"),
    ],
)
def test_a_write_after_the_end_is_an_error(step: Step) -> None:
    """If a task that nobody awaited could write into a finished event, its write would vanish in silence."""

    async def body(steps: Sequence[Step]) -> None:
        rows = BufferedRows(still())
        rows.closed = True
        with pytest.raises(NoActiveEvent):
            await run(rows, steps, "{t}")

    asyncio.run(body([step]))


def test_a_row_is_read_once() -> None:
    """If every access went to Redis, a handler that reads five fields would pay five round trips."""

    async def body() -> None:
        store = Away()
        store.reads = 1
        rows = BufferedRows(store)
        await asyncio.gather(*(rows.increment("{t}:a", "n", 1, None) for _ in range(3)))
        before = store.reads
        await rows.field("{t}:a", "n")
        await rows.exists("{t}:a")
        await rows.replace("{t}:b", {"x": b"1"}, None)
        await rows.row("{t}:b")
        assert store.reads == before

    asyncio.run(body())
