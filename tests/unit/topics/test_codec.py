"""From a value to its record and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidRecord
from pipeline.topics import codec, headers
from pipeline.topics.commands import Command, CommandKind, Priority, command_id
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from pipeline.topics.records import Header, Record, header


class Read(NamedTuple):
    """A record as a consumer gets it."""

    key: bytes | None
    value: bytes | None
    headers: list[Header]
    topic: str = "t"
    partition: int = 0
    offset: int = 0
    timestamp: int = 0


def read(record: Record) -> Read:
    return Read(record.key, record.value, list(record.headers), record.topic)


# what JSON and UTF-8 can carry: a lone surrogate is neither
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive
PARTIES = dict.fromkeys(("command_id", "tenant_id", "provider", "account", "recipient"), TEXT)
OPTIONAL = {"event_id": TEXT, "traceparent": TEXT}
COMMANDS = st.builds(
    Command,
    **PARTIES,
    **OPTIONAL,
    kind=st.sampled_from(CommandKind),
    body=st.dictionaries(TEXT, JSON, max_size=4),
    priority=st.sampled_from(Priority),
    reply_to=st.none() | TEXT,
    created_at=TIMES,
    expires_at=st.none() | TIMES,
)
OUTCOMES = st.builds(
    Outcome,
    **PARTIES,
    **OPTIONAL,
    status=st.sampled_from(OutcomeStatus),
    message_id=st.none() | TEXT,
    error_code=st.none() | st.integers(0, 10**6),
    error_message=st.none() | TEXT,
    retried=st.integers(0, 100),
    at=TIMES,
)


def command(**changes: Any) -> Command:
    values: dict[str, Any] = {
        "command_id": "cmd-1",
        "event_id": "e1",
        "tenant_id": "acme",
        "provider": "cloud",
        "account": "106",
        "recipient": "15550001111",
        "kind": CommandKind.TEXT,
        "body": {"text": "hello"},
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Command(**values | changes)


@given(COMMANDS)
def test_a_command_comes_back_as_it_was(value: Command) -> None:
    """The messenger would send something else than the handler asked for."""
    assert codec.decode_command(read(codec.encode_command(value))) == value


@given(OUTCOMES)
def test_an_outcome_comes_back_as_it_was(value: Outcome) -> None:
    """Analytics would count what did not happen."""
    assert codec.decode_outcome(read(codec.encode_outcome(value))) == value


def test_nothing_inside_a_body_is_left_out() -> None:
    """A template with an empty parameter would reach the provider without it."""
    body = {"template": {"language": None, "components": [None, {"x": None}]}}
    assert codec.decode_command(read(codec.encode_command(command(body=body)))).body == body


def test_unknown_fields_survive() -> None:
    """A worker of the last version would strip what the next one's handler has added."""
    value = command(added_later={"x": 1})
    back = codec.decode_command(read(codec.encode_command(value)))
    assert back.model_extra == {"added_later": {"x": 1}}


def test_commands_are_keyed_by_account_and_go_by_priority() -> None:
    """Two workers would send for one number at once, or a campaign would stand before an answer."""
    record = codec.encode_command(command())
    assert (record.topic, record.key) == ("commands.interactive", b"cloud:106")
    assert codec.encode_command(command(priority=Priority.BULK)).topic == "commands.bulk"


def test_command_headers_carry_the_way() -> None:
    """Nobody could follow a message from webhook to send without decoding every body."""
    record = codec.encode_command(command(traceparent="00-aa-bb-01"))
    found = {name: header(record.headers, name) for name, _ in record.headers}
    assert found == {
        headers.COMMAND_ID: "cmd-1",
        headers.EVENT_ID: "e1",
        headers.TENANT: "acme",
        headers.PROVIDER: "cloud",
        headers.ACCOUNT: "106",
        headers.TRACEPARENT: "00-aa-bb-01",
    }
    assert header(codec.encode_command(command(event_id=None)).headers, headers.EVENT_ID) is None


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"{}", b"\xff", b'{"kind": "teleport"}'])
def test_bytes_that_are_no_command_are_an_invalid_record(value: bytes | None) -> None:
    """A stray record would be retried for ever, instead of becoming a dead letter at once."""
    with pytest.raises(InvalidRecord, match="not a command") as caught:
        codec.decode_command(Read(b"k", value, []))
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(InvalidRecord, match="outcome"):
        codec.decode_outcome(Read(b"k", value, []))


@given(st.binary(max_size=200))
def test_decoding_raises_nothing_else(value: bytes) -> None:
    """Some odd bytes would be taken for a failure of the stage and tried again."""
    with pytest.raises(InvalidRecord):
        codec.decode_command(Read(b"k", value, []))


def test_errors_of_decoding_quote_no_content() -> None:
    """A message text would land in a dead letter's headers, and from there in dashboards."""
    value = orjson.dumps({**orjson.loads(command().model_dump_json()), "created_at": "words of a person"})
    with pytest.raises(InvalidRecord) as caught:
        codec.decode_command(Read(b"k", value, []))
    assert "words" not in str(caught.value)


def test_an_event_carries_its_webhook_and_itself() -> None:
    """Consumers filter by headers, and a trace would end at the intake."""
    whose = {"provider": "cloud", "account": "106", "conversation": "cloud:106:1555"}
    event = ParsedEvent.of({"event_id": "cloud:106:wamid.1", "kind": "message", **whose})
    source = Read(
        b"cloud:106:1555",
        b"{}",
        [
            (headers.WEBHOOK_ID, b"w1"),
            (headers.SLICE, b"1/2"),
            (headers.PROVIDER, b"cloud"),
            (headers.ACCOUNT, b"106"),
            (headers.RECEIVED_AT, b"1700000000000"),
            (headers.TRACEPARENT, b"00-aa-bb-01"),
            (headers.TENANT, b"guessed at the door"),
        ],
    )
    record = codec.encode_event(event, "events.default", "acme", source)
    assert (record.topic, record.key) == ("events.default", b"cloud:106:1555")
    assert orjson.loads(record.value) == {**event.body, "tenant_id": "acme"}
    assert dict(record.headers) == {
        headers.WEBHOOK_ID: b"w1",
        headers.PROVIDER: b"cloud",
        headers.ACCOUNT: b"106",
        headers.RECEIVED_AT: b"1700000000000",
        headers.TRACEPARENT: b"00-aa-bb-01",
        headers.TENANT: b"acme",
        headers.EVENT_ID: b"cloud:106:wamid.1",
        headers.EVENT_TYPE: b"message",
    }
    assert len(record.headers) == 8, "a header that comes twice is read differently by every client"


@given(TEXT, st.integers(0, 50), st.integers(0, 50))
def test_command_ids_are_the_same_again_and_differ_by_step(event_id: str, one: int, other: int) -> None:
    """A handler that runs again would send twice, or its second send would be taken for the first."""
    assert command_id(event_id, one) == command_id(event_id, one)
    assert (command_id(event_id, one) == command_id(event_id, other)) == (one == other)
    assert len(command_id(event_id, one)) <= 512
