"""One webhook can't become a thousand times itself: not at the door, not in the intake, not in Kafka."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from unittest.mock import Mock

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.agents.deduplicate import deduplicate
from pipeline.agents.parse import parse
from pipeline.agents.route import route
from pipeline.errors import InvalidRecord, OversizeRecord
from pipeline.providers import PROVIDERS
from pipeline.providers.shared.size_limits import MAX_PARTS, MAX_SLICED_BYTES
from pipeline.runtime.flows.chain import MAX_OUTPUT_BYTES, MAX_RECORD_BYTES
from pipeline.runtime.flows.stage import Stage, StageContext
from pipeline.tenants import Tenants
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics.catalogue import SEEN
from pipeline.topics.events import MessageEvent, UnknownEvent, decode, raw_pointers
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.headers import ACCOUNT, PROVIDER
from pipeline.topics.records import ConsumedRecord, Record, header
from tests.support import wasender_webhooks
from tests.support.cloud_webhooks import Raw, contact, examples, signed, tenants, text, value, webhook

Json = dict[str, Any]

BODY_LIMIT = 3 * 1024 * 1024
CLOUD, WASENDER = PROVIDERS["cloud"], PROVIDERS["wasender"]


def _messages(count: int, size: int = 20, people: int = 3) -> list[Json]:
    return [text(f"wamid.{n}", f"1555000{n % people:04d}", "x" * size) for n in range(count)]


def _junk_around(level: str, junk: str, messages: list[Json]) -> Json:
    whole = webhook(value(messages=messages, contacts=[]))
    entry = whole["entry"][0]
    change = entry["changes"][0]
    places = {"webhook": whole, "entry": entry, "change": change, "value": change["value"]}
    {**places, "metadata": change["value"]["metadata"]}[level]["junk"] = junk
    return whole


def _cloud(whole: Json) -> tuple[list[bytes], list[ParsedEvent]]:
    slices = [each.body for each in CLOUD.split(signed(orjson.dumps(whole)), tenants())]
    return slices, [event for body in slices for event in CLOUD.parse(Raw(body))]


@pytest.mark.parametrize("level", ["webhook", "entry", "change", "value", "metadata"])
def test_what_nobody_knows_around_the_parts_is_kept_once(level: str) -> None:
    """A megabyte beside 600 messages would be 290 MB in Kafka; dropped, it would be lost without a word."""
    junk = "j" * 100_000
    slices, events = _cloud(_junk_around(level, junk, _messages(60)))
    assert sum(junk.encode() in body for body in slices) == 1
    assert sum(junk.encode() in event.encode("acme") for event in events) == 1
    assert len(events) == 60
    assert sum(map(len, slices)) < 2 * len(junk)


@pytest.mark.parametrize("inside", [False, True])
def test_a_gateways_envelope_is_kept_once(inside: bool) -> None:
    """A session's owner could bring down the intake of everybody."""
    people = ("15550001111", "15550002222", "15550003333")
    data: Json = {"messages": [wasender_webhooks.text(f"A{n}", people[n % 3]) for n in range(60)]}
    junk = "j" * 100_000
    whole = wasender_webhooks.webhook("messages.upsert", data | ({"junk": junk} if inside else {}))
    slices = wasender_webhooks.slices(whole if inside else whole | {"junk": junk})
    assert sum(junk.encode() in each.body for each in slices) == 1
    named = ((ACCOUNT, wasender_webhooks.SESSION.encode()),)
    events = [event for each in slices for event in WASENDER.parse(TestRecord(each.body, headers=named))]
    assert sum(junk.encode() in event.encode("acme") for event in events) == 1
    assert {event.body["raw"]["timestamp"] for event in events} == {whole["timestamp"]}


@given(st.lists(st.sampled_from(list(examples())), min_size=1, max_size=3))
def test_every_part_has_the_known_envelope(wholes: list[Json]) -> None:
    """A replay of one event would be another tenant's, or of no number at all."""
    merged: Json = {"object": "o", "entry": [entry for whole in wholes for entry in whole.get("entry", [])]}
    for event in CLOUD.parse(Raw(orjson.dumps(merged))):
        (again,) = CLOUD.parse(Raw(orjson.dumps(event.body["raw"])))
        assert (again.event_id, again.kind, again.conversation, again.account) == (
            event.event_id,
            event.kind,
            event.conversation,
            event.account,
        )


def test_more_parts_than_any_provider_sends_are_refused() -> None:
    """A body of three megabytes can have 1.5 million parts, and an event of each would take all memory there is."""
    for whole in (
        webhook(value(messages=[0] * (MAX_PARTS + 1))),
        {"object": "o", "entry": [0] * (MAX_PARTS + 1)},
        {"object": "o", "entry": [{"id": "1", "changes": [None] * (MAX_PARTS + 1)}]},
    ):
        with pytest.raises(OversizeRecord):
            _cloud(whole)
        with pytest.raises(OversizeRecord):
            list(CLOUD.parse(Raw(orjson.dumps(whole))))
    many = wasender_webhooks.webhook("messages.upsert", [0] * (MAX_PARTS + 1))
    with pytest.raises(OversizeRecord):
        wasender_webhooks.slices(many)
    with pytest.raises(OversizeRecord):
        list(WASENDER.parse(TestRecord(orjson.dumps(many))))


def test_slices_are_counted_while_they_are_made() -> None:
    """A long name of a number is known and belongs to every part: the ingress would hold it a thousand times."""
    whole = webhook(value(messages=_messages(600, people=600)))
    whole["entry"][0]["changes"][0]["value"]["metadata"]["display_phone_number"] = "1" * 1_000_000
    with pytest.raises(OversizeRecord, match=str(MAX_SLICED_BYTES)):
        CLOUD.split(signed(orjson.dumps(whole)), tenants())


def _intake(known: Tenants | None = None) -> TopologyTestDriver:
    return TopologyTestDriver(parse(PROVIDERS), deduplicate(), route(known or tenants()), tables=[SEEN])


def _record(body: bytes) -> TestRecord:
    return TestRecord(body, b"k", ((PROVIDER, b"cloud"),))


def test_a_poison_pill_is_one_dead_letter() -> None:
    """The intake would be killed for its memory, again and again, on one record."""
    whole = webhook(value(messages=_messages(600, people=1), contacts=[contact("15550000000", "n" * 1_000_000)]))
    driver = _intake()
    driver.pipe(_record(orjson.dumps(whole)))
    (letter,) = driver.published
    assert header(letter.headers, "error-type") == "OversizeRecord"
    assert letter.value == orjson.dumps(whole)
    driver.pipe(_record(orjson.dumps(webhook(value(messages=_messages(1))))))
    assert driver.published[-1].topic == "events.default"


def _named_a_lot(name: str) -> tuple[str, Json]:
    """A webhook of 100 parts, in which a field that belongs to each of them is long."""
    long = "n" * 60_000
    if name in ("apiKeyId", "event"):
        sent = [wasender_webhooks.text(f"A{n}", "15550001111") for n in range(100)]
        whole = wasender_webhooks.webhook("messages.upsert", {"messages": sent} if name == "apiKeyId" else sent)
        return "wasender", whole | {name: long}
    whole = webhook(value(messages=_messages(100, people=1), contacts=[contact("15550000000", "Ann")]))
    entry = whole["entry"][0]
    content = entry["changes"][0]["value"]
    places = {"id": entry, "display_phone_number": content["metadata"], "name": content["contacts"][0]["profile"]}
    places[name][name] = long
    return "cloud", whole


@pytest.mark.parametrize("name", ["apiKeyId", "event", "id", "display_phone_number", "name"])
def test_what_is_known_and_long_is_a_dead_letter(name: str) -> None:
    """300 kB of one session, below every cap of bytes, was 230 MB in Kafka: a field that is known was in each event."""
    provider, whole = _named_a_lot(name)
    body = orjson.dumps(whole)
    driver = _intake(wasender_webhooks.TENANTS if provider == "wasender" else None)
    driver.pipe(TestRecord(body, b"k", ((PROVIDER, provider.encode()), (ACCOUNT, wasender_webhooks.SESSION.encode()))))
    (letter,) = driver.published
    assert (letter.topic, header(letter.headers, "error-type")) == ("dead-letters.parse", "OversizeRecord")


@given(st.integers(2, 400), st.integers(1, 3), st.integers(0, 300))
def test_no_batch_of_usual_messages_is_too_much(count: int, people: int, size: int) -> None:
    """What people write would be a dead letter because much of it came at once."""
    driver = _intake()
    driver.pipe(_record(orjson.dumps(webhook(value(messages=_messages(count, size, people))))))
    assert {record.topic for record in driver.published} == {"events.default"}


def test_the_largest_batch_of_a_provider_goes_through() -> None:
    """What Meta sends after an outage would be dead letters."""
    driver = _intake()
    body = orjson.dumps(webhook(value(messages=_messages(1_000, size=2_800, people=1))))
    assert 2_800_000 < len(body) < BODY_LIMIT
    driver.pipe(_record(body))
    assert [record.topic for record in driver.published] == ["events.default"] * 1_000


def test_outputs_are_counted_while_they_are_made() -> None:
    """All of what a record becomes would be in memory before anybody finds that it is too much."""
    made = 0

    def many(_: ConsumedRecord, __: StageContext) -> Iterable[bytes]:
        nonlocal made
        while True:
            made += 1
            yield b"x" * 1_000_000

    out = Stage("out", lambda each, _: (Record("out", b"k", each),))
    driver = TopologyTestDriver(Stage("many", many), Stage("copy", lambda each, _: (each,)), out)
    driver.pipe(TestRecord(b"x", b"k"))
    assert [record.topic for record in driver.published] == ["dead-letters.out"]
    assert made <= MAX_OUTPUT_BYTES // 1_000_000 + 1


def test_a_value_that_a_stage_can_not_make_is_that_stages_failure() -> None:
    """Somebody would look for the fault in another stage than the one that has it."""

    def odd(record: ConsumedRecord, _: StageContext) -> Iterable[Any]:
        yield record
        raise InvalidRecord("the second one")

    none: Any = Stage("none", Mock(return_value=None))
    twice, out = Stage("twice", lambda each, _: (each, each)), Stage("out", lambda each, _: (each.value,))
    for stages, name in (
        ([Stage("odd", odd), Stage("out", lambda each, _: (Record("out", b"k", b"v"),))], "odd"),
        ([twice, Stage("odd", odd), Stage("out", lambda each, _: (Record("out", b"k", b"v"),))], "odd"),
        ([twice, none], "none"),
        ([none], "none"),
        ([twice, out], "out"),
    ):
        driver = TopologyTestDriver(*stages)
        driver.pipe(TestRecord(b"x", b"k"))
        assert [record.topic for record in driver.published] == [f"dead-letters.{name}"]


LARGE = "x" * 2_500_000


def _large() -> list[tuple[str, Json, str]]:
    echo = text("wamid.1", body=LARGE) | {"to": "2"}
    media = {"id": "1", "caption": LARGE}
    return [
        ("cloud", webhook(value(contacts=[contact()], messages=[text("wamid.1", body=LARGE)])), "message"),
        ("cloud", webhook(value(messages=[text("wamid.1") | {"type": "image", "image": media}])), "message"),
        ("cloud", webhook(value(messages=[text("wamid.1") | {"type": "hologram", "x": LARGE}])), "unknown"),
        ("cloud", webhook(value(messages=[text("wamid.1", body=LARGE) | {"referral": 5}])), "message"),
        ("cloud", webhook(value(errors=[{"code": 1, "title": LARGE}])), "error"),
        ("cloud", webhook(value(message_echoes=[echo]), field="smb_message_echoes"), "account"),
        ("cloud", {"object": "o", "entry": LARGE}, "unknown"),
        ("wasender", wasender_webhooks.received(wasender_webhooks.text("A", body=LARGE[:1_400_000])), "message"),
        ("wasender", wasender_webhooks.webhook("messages.upsert", [{"~odd/": LARGE}]), "unknown"),
    ]


@pytest.mark.parametrize(("provider", "whole", "kind"), _large(), ids=range(len(_large())))
def test_a_large_event_holds_its_part_once(provider: str, whole: Json, kind: str) -> None:
    """A webhook that the ingress takes would be an event that no topic takes: a dead letter for good."""
    record = TestRecord(orjson.dumps(whole), headers=((ACCOUNT, wasender_webhooks.SESSION.encode()),))
    (wire,) = PROVIDERS[provider].parse(record)
    written = wire.encode("acme")
    assert len(written) < min(MAX_RECORD_BYTES, len(record.value or b"") + 10_000)
    event = decode(TestRecord(written))
    assert (event.kind, event.raw) == (kind, whole)
    full = decode(TestRecord(orjson.dumps(wire.body | {"tenant_id": "acme"}, option=orjson.OPT_UTC_Z)))
    assert event == full


def test_a_small_event_is_written_in_full() -> None:
    """Readers in other languages would need to know of pointers for every event there is."""
    body = "x" * (raw_pointers.MAX_FULL_SIZE // 2 - 2_000)
    whole = webhook(value(contacts=[contact()], messages=[text("wamid.1", body=body)]))
    (wire,) = CLOUD.parse(Raw(orjson.dumps(whole)))
    written = orjson.loads(wire.encode("acme"))
    assert raw_pointers.POINTERS not in written
    assert written["message"]["text"]["body"] == body


def test_a_large_event_of_an_unknown_type_is_read_by_an_older_version() -> None:
    """What a newer version writes would be a dead letter of the handlers that are not replaced yet."""
    (wire,) = CLOUD.parse(Raw(orjson.dumps(webhook(value(messages=[text("wamid.1", body=LARGE)])))))
    value_ = wire.encode("acme").replace(b'"type":"text"', b'"type":"next"')
    event = decode(TestRecord(value_))
    assert isinstance(event, UnknownEvent)
    assert event.part["text"]["body"] == LARGE


@pytest.mark.parametrize("pointers", [{"/message": "/nowhere"}, {"/a/b": "/entry"}, {"/raw/entry/9": "/entry"}, [1], 5])
def test_pointers_that_lead_nowhere_are_an_invalid_record(pointers: Any) -> None:
    """A damaged event would be retried and stop its conversation instead of being a dead letter."""
    value_ = orjson.dumps({"kind": "message", "raw": {"entry": ["x" * 100_000]}, raw_pointers.POINTERS: pointers})
    with pytest.raises(InvalidRecord):
        decode(TestRecord(value_))


def test_nobody_outside_can_write_a_pointer() -> None:
    """A user could have an event read otherwise than it was sent."""
    status = {
        "id": "w",
        "status": "sent",
        "timestamp": "1",
        "recipient_id": "1",
        raw_pointers.POINTERS: {"/errors": "/entry"},
    }
    (wire,) = CLOUD.parse(Raw(orjson.dumps(webhook(value(statuses=[status | {"x": "y" * 100_000}])))))
    event = decode(TestRecord(wire.encode("acme")))
    assert event.raw["entry"][0]["changes"][0]["value"]["statuses"][0][raw_pointers.POINTERS]
    message = text("wamid.1", body=f'"{raw_pointers.POINTERS}"' + "y" * 100_000) | {raw_pointers.POINTERS: {"/a": "/b"}}
    (wire,) = CLOUD.parse(Raw(orjson.dumps(webhook(value(messages=[message])))))
    assert isinstance(decode(TestRecord(wire.encode("acme"))), MessageEvent)
