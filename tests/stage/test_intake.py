"""parse ▸ deduplicate ▸ route, as the topology chains them, on webhooks of the Cloud API."""

from __future__ import annotations

import orjson
import pytest

from pipeline.agents.deduplicate import deduplicate
from pipeline.agents.parse import parse
from pipeline.agents.route import route
from pipeline.providers import PROVIDERS
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics.catalogue import SEEN
from pipeline.topics.events import MessageEvent, StatusEvent, decode
from pipeline.topics.records import header
from tests.stage.pieces import HEADERS, NUMBER, WABA, raw, tenants
from tests.support.cloud_webhooks import contact, merged, status, text, value, webhook

ANA, BO = "15550001111", "15550002222"
BATCH = merged(
    webhook(
        value(
            NUMBER,
            contacts=[contact(ANA), contact(BO, "Bo")],
            messages=[text("wamid.1", ANA, "one"), text("wamid.2", BO, "two")],
        ),
        waba=WABA,
    ),
    webhook(
        value(NUMBER, contacts=[contact(ANA)], messages=[text("wamid.3", ANA, "three")]),
        value(NUMBER, statuses=[status("wamid.9", "sent", ANA), status("wamid.9", "delivered", ANA)]),
        waba=WABA,
    ),
)
"""One POST with 2 entries, 3 messages of 2 contacts and 2 statuses."""


@pytest.fixture
def driver() -> TopologyTestDriver:
    return TopologyTestDriver(parse(PROVIDERS), deduplicate(), route(tenants(acme="default")), tables=[SEEN])


def test_every_part_of_a_batch_becomes_an_event_in_order_and_once(driver: TopologyTestDriver) -> None:
    """Of a batch only the first message would be answered, or each delivery of it again."""
    driver.pipe(raw(BATCH))
    found = [decode(TestRecord.of(record)) for record in driver.published]
    messages = [each for each in found if isinstance(each, MessageEvent)]
    statuses = [each for each in found if isinstance(each, StatusEvent)]
    assert [(each.contact, each.get_message_text()) for each in messages] == [(ANA, "one"), (BO, "two"), (ANA, "three")]
    assert [str(each.status) for each in statuses] == ["sent", "delivered"]
    assert len(found) == len(driver.rows(SEEN)) == 5
    assert {record.topic for record in driver.published} == {"events.default"}

    for turn in range(1, 6):
        assert driver.pipe(raw(BATCH, offset=turn)) == []


def test_parts_that_are_delivered_again_in_other_company_are_known(driver: TopologyTestDriver) -> None:
    """A platform that batches its retries differently would have every message answered again."""
    driver.pipe(raw(BATCH))
    alone = webhook(value(NUMBER, contacts=[contact(ANA)], messages=[text("wamid.3", ANA, "three")]), waba=WABA)
    with_new = webhook(
        value(NUMBER, contacts=[contact(ANA)], messages=[text("wamid.1", ANA, "one"), text("wamid.4", ANA, "four")]),
        waba=WABA,
    )
    (record,) = driver.pipe(raw(alone, offset=1), raw(with_new, offset=2))
    event = decode(TestRecord.of(record))
    assert isinstance(event, MessageEvent)
    assert event.get_message_text() == "four"


@pytest.mark.parametrize("body", [b"not JSON", b'{"object": "whatsapp', b"\xff\xfe\x00", b"[1, 2]", b'"text"', b""])
def test_bytes_that_are_no_webhook_are_one_dead_letter_of_parse_with_every_header(
    driver: TopologyTestDriver, body: bytes
) -> None:
    """Nobody could find out what a provider sent, or drive it again once it is understood."""
    record = raw(body, offset=7)
    (letter,) = driver.pipe(record)
    assert (letter.topic, letter.key, letter.value) == ("dead-letters.parse", record.key, body)
    assert tuple(letter.headers[: len(HEADERS)]) == HEADERS
    told = {name: found.decode() for name, found in letter.headers[len(HEADERS) :]}
    assert int(told.pop("failed-at")) > 0
    assert told.pop("error-message")
    assert told.pop("raised-at").startswith("pipeline/agents/parse.py:")
    assert told == {
        "error-type": "InvalidRecord",
        "stage": "parse",
        "attempts": "1",
        "origin-topic": "webhooks.raw",
        "origin-partition": "0",
        "origin-offset": "7",
    }


@pytest.mark.parametrize("headers", [(), (("provider", b"telegram"),), HEADERS[:1]])
def test_a_record_of_no_known_provider_is_a_dead_letter(
    driver: TopologyTestDriver, headers: tuple[tuple[str, bytes], ...]
) -> None:
    """A producer's mistake would be taken for somebody else's webhook, or vanish."""
    (letter,) = driver.pipe(raw(BATCH, headers=headers))
    assert (letter.topic, header(letter.headers, "error-type")) == ("dead-letters.parse", "InvalidRecord")


def test_what_is_new_arrives_as_it_came(driver: TopologyTestDriver) -> None:
    """A kind of webhook that the platform adds tomorrow would be lost until somebody programs it."""
    novelty = webhook({"something": ["new"]}, field="brand_new_field", waba=WABA)
    (record,) = driver.pipe(raw(novelty))
    assert record.topic == "events.default"
    assert orjson.loads(record.value)["raw"] == novelty
