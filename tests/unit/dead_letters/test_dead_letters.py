"""Dead letters: what is written is what is read, what is filtered is what is meant, and nobody's words are shown."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime

import orjson
import pytest
import typer
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli._dead_letter_options import to_moment, to_name
from pipeline.dead_letters.find import DeadLetterFilter, FoundDeadLetter, StateTable, find, history
from pipeline.dead_letters.format import as_json, body, hide, page, row
from pipeline.dead_letters.resolve import DeadLetterResolver
from pipeline.errors import NoActiveEvent, UnknownTenant
from pipeline.replay.reader import PartitionRange, TopicReader
from pipeline.runtime.faust.gap_dead_letters import gap_dead_letter
from pipeline.runtime.faust.gaps import RemovedRange
from pipeline.runtime.flows.dead_letters import dead_letter
from pipeline.testing import TestRecord
from pipeline.topics.dead_letters import (
    REASON_BYTES,
    DeadLetter,
    DeadLetterId,
    DeadLetterState,
    RecordPosition,
    Resolution,
    parse_dead_letter,
)
from pipeline.topics.headers import REASON
from pipeline.topics.records import ConsumedRecord, Record

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
texts = st.text(max_size=20)
some_headers = st.lists(
    st.tuples(texts | st.sampled_from(["stage", "attempts", "decision"]), st.binary(max_size=9)), max_size=4
)


def _letter(
    record: ConsumedRecord, offset: int = 0, error: Exception | None = None, stage: str = "route", partition: int = 3
) -> DeadLetter:
    made = dead_letter(record, stage, error or UnknownTenant("no tenant owns it"), 2)
    found = parse_dead_letter(_written(made, partition, offset))
    assert isinstance(found, DeadLetter)
    return found


def test_the_letter_of_a_gap_is_shown_with_its_range_and_never_redriven() -> None:
    """Somebody would look for bytes that are nowhere, or publish an empty webhook in their place."""
    record, _ = gap_dead_letter(RemovedRange(TP("events.default", 3), 10, 40), "handle")
    letter = parse_dead_letter(_written(record, 3, 7))
    assert isinstance(letter, DeadLetter)
    shown = page(letter, DeadLetterState.OPEN, [], reveal=False)
    assert "error     LogGap: offsets 10 to 39 of events.default/3 were removed before they were processed" in shown
    assert shown[-1] == "It has no bytes: its records were removed from the log before they were processed."
    assert orjson.loads(as_json(letter, DeadLetterState.OPEN))["gap"] == {"start": 10, "end": 40}
    decider = DeadLetterResolver("nowhere", None, "somebody")
    decider._partitions = {"events.default": 8}
    ((refused, why),) = asyncio.run(decider.redrive([letter]))
    assert refused is letter
    assert "nothing to redrive" in why


def _raised() -> Exception:
    """An error that was raised, in a line of this file."""
    try:
        raise KeyError("menu")
    except KeyError as error:
        return error


def test_a_letter_says_where_its_error_was_raised() -> None:
    """An author would know what went wrong, and search for the line in the logs of a worker that is gone."""
    record = TestRecord(b"{}", b"k", (("tenant", b"acme"),), "events.default", 3, 17)
    letter = _letter(record, error=_raised())
    assert re.fullmatch(r"tests/unit/dead_letters/test_dead_letters\.py:\d+ _raised", letter.raised_at)
    assert row(letter, DeadLetterState.OPEN).endswith(letter.raised_at)
    assert orjson.loads(as_json(letter, DeadLetterState.OPEN))["raised_at"] == letter.raised_at
    assert f"raised at {letter.raised_at}" in page(letter, DeadLetterState.OPEN, [], reveal=False)
    assert list(letter.headers) == [("tenant", b"acme")]
    assert "raised-at" not in dict(letter.redriven(1).headers)


def test_the_place_is_no_change_for_other_versions() -> None:
    """During an upgrade one version would not see, or not redrive, the letters of another."""
    record = TestRecord(b"{}", b"k", (("tenant", b"acme"),), "events.default", 3, 17)
    made = dead_letter(record, "handle", _raised(), 4)
    assert tuple(name for name, _ in made.headers[-len(REASON) :]) == REASON, "an older one looks at these only"
    older = made._replace(headers=[pair for pair in made.headers if pair[0] != "raised-at"])
    letter = parse_dead_letter(_written(older))
    assert isinstance(letter, DeadLetter)
    assert (letter.raised_at, list(letter.headers)) == ("", [("tenant", b"acme")])
    assert "raised at -" in page(letter, DeadLetterState.OPEN, [], reveal=False)


def test_what_an_older_version_redrove_has_the_place_of_its_last_failure() -> None:
    """An author would be sent to the line of the fault that was mended before."""
    again = TestRecord(b"{}", b"k", (("raised-at", b"old.py:1 hook"),), "events.default", 3, 18)
    assert _letter(again, error=_raised()).raised_at.endswith(" _raised")
    assert _letter(again, error=ValueError("never raised")).raised_at == ""


def _written(record: Record, partition: int = 3, offset: int = 0) -> TestRecord:
    return TestRecord(record.value, record.key, tuple(record.headers), record.topic, partition, offset)


class Log(TopicReader):
    """A partition in memory."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = [_written(record, 3, offset) for offset, record in enumerate(records)]

    async def ranges(self, topic: str, partitions: Iterable[int], since: int | None = None) -> list[PartitionRange]:
        return [PartitionRange(topic, partition, 0, len(self._records)) for partition in partitions if partition == 3]

    async def read(self, span: PartitionRange) -> AsyncIterator[ConsumedRecord]:
        for record in self._records[span.start : span.end]:
            yield record


def _find(log: Log, filters: DeadLetterFilter) -> list[FoundDeadLetter]:
    async def run() -> list[FoundDeadLetter]:
        return [found async for found in find(log, "route", range(8), filters)]

    return asyncio.run(run())


@given(st.binary(max_size=30), st.binary(min_size=1, max_size=9), some_headers)
def test_the_record_comes_back_byte_for_byte(value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> None:
    """A redrive would publish something else than what failed, and its signature of origin would be gone."""
    record = TestRecord(value, key, tuple(headers), "webhooks.raw", 3, 17)
    letter = _letter(record, offset=5)
    assert letter.original() == Record("webhooks.raw", key, value, headers)
    assert (letter.origin_partition, letter.origin_offset, letter.id) == (3, 17, DeadLetterId("route", 3, 5))
    assert (letter.error_type, letter.attempts) == ("UnknownTenant", 2)


@given(st.integers(0, 99), st.integers(0, 2**60), st.sampled_from(DeadLetterState), texts, st.integers(0, 2**50))
def test_a_mark_comes_back_as_it_was(partition: int, offset: int, state: DeadLetterState, by: str, at: int) -> None:
    """A letter that was redriven would look open and be redriven again."""
    mark = Resolution(DeadLetterId("my/stage", partition, offset), state, by, at)
    assert parse_dead_letter(_written(mark.record())) == mark


@given(some_headers, st.binary(max_size=20))
def test_what_is_neither_letter_nor_mark_is_nothing(headers: list[tuple[str, bytes]], key: bytes) -> None:
    """One strange record on a topic would end every list."""
    assert not isinstance(parse_dead_letter(TestRecord(b"", key, tuple(headers))), DeadLetter)


@given(st.lists(st.tuples(st.integers(-3, 12), st.sampled_from([DeadLetterState.REDRIVEN, DeadLetterState.DROPPED]))))
def test_the_last_decision_counts(decisions: list[tuple[int, DeadLetterState]]) -> None:
    """A dropped letter that was redriven after all would be redriven once more."""
    ledger = StateTable(PartitionRange("dead-letters.route", 3, 100, 110))
    for place, state in decisions:
        ledger.record(Resolution(DeadLetterId("route", 3, 100 + place), state, "me", 0))
    for place in range(10):
        assert ledger.state(100 + place) is dict(decisions).get(place, DeadLetterState.OPEN)


def test_find_tells_how_each_letter_stands_and_passes_what_is_meant() -> None:
    """An operator would redrive another tenant's letters, or those of another cause."""
    acme, other = (("tenant", b"acme"),), (("tenant", b"other"),)
    log = Log(
        [
            dead_letter(TestRecord(b"0", headers=acme), "route", UnknownTenant("x"), 1),
            dead_letter(TestRecord(b"1", headers=other), "route", KeyError("x"), 4),
            Resolution(DeadLetterId("route", 3, 0), DeadLetterState.REDRIVEN, "me@here", 1).record(),
            dead_letter(TestRecord(b"3"), "route", KeyError("x"), 4),
            Resolution(DeadLetterId("route", 3, 3), DeadLetterState.DROPPED, "me@here", 2).record(),
        ]
    )

    def offsets(filters: DeadLetterFilter) -> list[int]:
        return [found.letter.id.offset for found in _find(log, filters)]

    assert [found.state for found in _find(log, DeadLetterFilter())] == [
        DeadLetterState.REDRIVEN,
        DeadLetterState.OPEN,
        DeadLetterState.DROPPED,
    ]
    assert offsets(DeadLetterFilter(states=(DeadLetterState.OPEN,))) == [1]
    assert offsets(DeadLetterFilter(tenant="acme")) == [0]
    assert offsets(DeadLetterFilter(error_type="KeyError")) == [1, 3]
    assert offsets(DeadLetterFilter(ids={DeadLetterId("route", 3, 3), DeadLetterId("route", 9, 1)})) == [3]
    assert offsets(DeadLetterFilter(origins={RecordPosition("test", 0, 0)})) == [0, 1, 3]
    assert (
        offsets(DeadLetterFilter(origins={RecordPosition("test", 0, 1)}))
        == offsets(DeadLetterFilter(traces={TRACE}))
        == []
    )
    assert offsets(DeadLetterFilter(since=2**60)) == offsets(DeadLetterFilter(until=1)) == []
    assert [mark.at for mark in asyncio.run(history(log, DeadLetterId("route", 3, 3)))] == [2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", "2026-01-31T00:00:00"),
        ("2026-01-31T10:30", "2026-01-31T10:30:00"),
        ("2026-01-31T10:30+02:00", "2026-01-31T08:30:00"),
        ("90m", "2026-01-31T10:30:00"),
        ("7d", "2026-01-24T12:00:00"),
    ],
)
def test_times_as_people_write_them(text: str, expected: str) -> None:
    """A redrive of the last two hours would take another two hours."""
    assert to_moment(text, NOW) == int(datetime.fromisoformat(expected + "+00:00").timestamp() * 1000)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "5w", ""])
def test_what_is_no_time_is_wrong_usage(text: str) -> None:
    """A mistyped filter would be taken for no filter, and everything be redriven."""
    with pytest.raises(typer.BadParameter):
        to_moment(text, NOW)


@pytest.mark.parametrize("text", ["route", "route/1", "route/x/1", "route/1/-1", "/1/1"])
def test_what_is_no_id_is_wrong_usage(text: str) -> None:
    """A mistyped id would be looked for in vain, and reported as gone."""
    with pytest.raises(typer.BadParameter):
        to_name(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("route/3/17", DeadLetterId("route", 3, 17)),
        ("dead-letters.route/3/17", DeadLetterId("route", 3, 17)),
        ("my-stage/3/17", DeadLetterId("my-stage", 3, 17)),
        ("webhooks.raw/3/17", RecordPosition("webhooks.raw", 3, 17)),
        ("events.default/0/0", RecordPosition("events.default", 0, 0)),
        (TRACE, TRACE),
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
    ],
)
def test_what_a_masked_line_says_names_a_letter(text: str, name: object) -> None:
    """Who reads a masked log line could not find the letter without the id that it hides."""
    assert to_name(text) == name
    assert type(to_name(text)) is type(name)


def test_a_letter_is_found_by_its_record_and_by_its_trace() -> None:
    """As above: the log names the record and the trace, and neither says where the letter lies."""
    traced = TestRecord(b"0", headers=(("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode()),), offset=7)
    log = Log([dead_letter(each, "route", KeyError("x"), 4) for each in (TestRecord(b"1"), traced)])
    for filters in (DeadLetterFilter(traces={TRACE}), DeadLetterFilter(origins={RecordPosition("test", 0, 7)})):
        assert [found.letter.value for found in _find(log, filters)] == [b"0"]
    both = DeadLetterFilter(ids={DeadLetterId("route", 3, 0)}, traces={TRACE})
    assert [found.letter.value for found in _find(log, both)] == [b"1", b"0"]


def test_nobodys_words_are_shown_unless_asked_for() -> None:
    """Whoever looks after the pipeline would read what customers write."""
    content = {"id": "wamid.1", "text": {"body": "my secret"}, "new_field": ["my secret"], "at": 7, "type": "text"}
    record = TestRecord(orjson.dumps(content), b"cloud:1:2")
    letter = _letter(record, error=KeyError("my secret"))
    for reveal in (False, True):
        shown = "\n".join(page(letter, DeadLetterState.OPEN, [], reveal=reveal))
        assert ("my secret" in shown) is reveal
        assert ("wamid.1" in shown) is reveal
    assert "my secret" not in row(letter, DeadLetterState.OPEN) + as_json(letter, DeadLetterState.OPEN)
    assert "my secret" not in body(b'{"text": "my secret"', reveal=False)
    assert hide({"id": ["a", {"name": "b"}], "at": 1.5, "ok": None})["id"] == ["a", {"name": "[redacted]"}]


def test_why_it_failed_is_shown_where_the_reason_quotes_nobody() -> None:
    """An operator would have to reveal messages to learn that a tenant is missing."""
    assert "no tenant owns it" in "\n".join(page(_letter(TestRecord(b"{}")), DeadLetterState.OPEN, [], reveal=False))


@given(st.binary(max_size=60))
def test_no_bytes_reach_the_terminal_as_they_are(value: bytes) -> None:
    """A webhook could move the cursor of whoever looks at it, and forge what they read."""
    for line in page(_letter(TestRecord(value, value)), DeadLetterState.OPEN, [], reveal=True):
        assert all(character.isprintable() for character in line)


def test_a_list_as_json_is_one_object_a_line() -> None:
    """A script could not read it."""
    found = orjson.loads(
        as_json(_letter(TestRecord(b"{}", b"k", (("tenant", b"acme"),), "webhooks.raw")), DeadLetterState.OPEN)
    )
    assert (found["id"], found["tenant"], found["state"]) == ("route/3/0", "acme", "open")
    assert found["origin"] == {"topic": "webhooks.raw", "partition": 0, "offset": 0}


def test_a_reason_has_its_room() -> None:
    """The largest of messages would fit nowhere once it fails, and hold up its partition."""
    error = UnknownTenant("\N{GRINNING FACE}" * 5_000)
    record = TestRecord(b"", b"", (), "t" * 249, 2**31 - 1, 2**62)
    made = dead_letter(record, "s" * 236, error, 10**9)
    assert sum(len(name) + len(value) + 10 for name, value in made.headers) < REASON_BYTES / 2


def test_an_error_that_was_renamed_is_still_ours() -> None:
    """The reason of a dead letter would be hidden from its operator, as if it might quote a user."""
    record = dead_letter(TestRecord(b"{}", b"key", topic="in", offset=7), "handle", NoActiveEvent("outside a hook"), 1)
    letter = parse_dead_letter(_written(record, 3, 7))
    assert isinstance(letter, DeadLetter)
    assert letter.error_type == "OutsideEvent"
    assert "outside a hook" in "\n".join(page(letter, DeadLetterState.OPEN, [], reveal=False))
