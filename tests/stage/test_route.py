"""route: an event → its tenant's lane; a status of our own message → a receipt too."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any

import orjson
import pytest

from pipeline.agents.deduplicate import deduplicate
from pipeline.agents.parse import parse
from pipeline.agents.route import route
from pipeline.ingress.records import IngressMetadata, RecordBuilder
from pipeline.providers import PROVIDERS
from pipeline.providers.base import WebhookRequest
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics import headers
from pipeline.topics.catalogue import RECEIPTS, SEEN
from pipeline.topics.codec import decode_receipt
from pipeline.topics.commands import command_id
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.records import header
from tests.stage.pieces import HEADERS, NUMBER, OTHER_NUMBER, UNPACK, carrying, event, tenants


def test_an_event_goes_to_the_lane_of_its_tenant() -> None:
    """One tenant's flood would stand before another tenant's messages."""
    driver = TopologyTestDriver(UNPACK, route(tenants(acme="default", globex="gold")))
    driver.pipe(carrying(event(1), event(2, account=OTHER_NUMBER)))
    assert [(record.topic, record.key) for record in driver.published] == [
        ("events.default", f"cloud:{NUMBER}:15550001111".encode()),
        ("events.gold", f"cloud:{OTHER_NUMBER}:15550001111".encode()),
    ]
    assert [orjson.loads(record.value)["tenant_id"] for record in driver.published] == ["acme", "globex"]


def test_an_event_keeps_its_webhooks_headers_and_gets_its_own() -> None:
    """A trace would end here, and a consumer would have to parse a body to know what it is."""
    driver = TopologyTestDriver(UNPACK, route(tenants(acme="default")))
    (record,) = driver.pipe(carrying(event(1)))
    assert dict(record.headers) == {
        **dict(HEADERS),
        "tenant": b"acme",
        "event-id": b"e-1",
        "event-type": b"message",
    }


def test_an_unknown_tenant_is_a_dead_letter_that_can_be_driven_again() -> None:
    """A message that came before its tenant was configured would be lost: forgotten, or taken for a duplicate."""
    driver = TopologyTestDriver(UNPACK, deduplicate(), route(tenants(acme="default")), tables=[SEEN])
    lost = carrying(event(1, account=OTHER_NUMBER))
    (letter,) = driver.pipe(lost)
    assert (letter.topic, letter.key, letter.value) == ("dead-letters.route", lost.key, lost.value)
    assert tuple(letter.headers[: len(HEADERS)]) == HEADERS
    assert header(letter.headers, "error-type") == "UnknownTenant"
    assert header(letter.headers, "attempts") == "1"
    assert driver.rows(SEEN) == {}

    later = TopologyTestDriver(UNPACK, deduplicate(), route(tenants(acme="default", globex="gold")), tables=[SEEN])
    assert [record.topic for record in later.pipe(lost)] == ["events.gold"]


def test_what_came_as_one_tenants_never_becomes_anothers() -> None:
    """Who knows one tenant's secret could put messages into another tenant's conversations, by naming its account."""
    driver = TopologyTestDriver(UNPACK, deduplicate(), route(tenants(acme="default", globex="gold")), tables=[SEEN])
    forged = replace(carrying(event(1)), headers=(*HEADERS, ("tenant", b"globex")))
    (letter,) = driver.pipe(forged)
    assert (letter.topic, letter.value) == ("dead-letters.route", forged.value)
    assert header(letter.headers, "error-type") == "ForeignAccount"
    assert driver.rows(SEEN) == {}
    honest = replace(carrying(event(1)), headers=(*HEADERS, ("tenant", b"acme")))
    assert [record.topic for record in driver.pipe(honest)] == ["events.default"]


def test_what_one_tenant_posts_of_anothers_account_goes_nowhere() -> None:
    """A tenant could name its own account as another calls its, and write there with its own secret."""
    driver = TopologyTestDriver(parse(PROVIDERS), deduplicate(), route(_GATEWAYS), tables=[SEEN])
    body = orjson.dumps({"event": "message", "session": "acme-waha", "payload": {"id": "A", "from": "1@c.us"}})
    request = WebhookRequest(body, {"x-webhook-hmac": hmac.digest(b"globex", body, "sha512").hex()}, {}, "globex")
    provider = PROVIDERS["waha"]
    assert provider.authenticate(request, _GATEWAYS)
    metadata = IngressMetadata("waha", "globex", b"wh-1", 1_760_000_000_500, b"")
    (record,) = RecordBuilder(_GATEWAYS).build(provider.split(request, _GATEWAYS), metadata)
    (letter,) = driver.pipe(TestRecord.of(record))
    assert header(letter.headers, "error-type") == "ForeignAccount"


_GATEWAYS = Tenants(
    TenantsFile.model_validate(
        {
            "tenants": [
                {
                    "id": name,
                    "accounts": [
                        {
                            "provider": "waha",
                            "id": f"{name}-waha",
                            "session": "default",
                            "webhook_secrets": [name],
                            "token": "t",
                        }
                    ],
                }
                for name in ("acme", "globex")
            ]
        }
    )
)
"""Both call their only session `default`, as WAHA does."""


def test_a_webhook_with_one_unknown_account_is_one_dead_letter_and_leaves_nothing_behind() -> None:
    """Driven again, its other half would be handled a second time."""
    driver = TopologyTestDriver(UNPACK, deduplicate(), route(tenants(acme="default")), tables=[SEEN])
    driver.pipe(carrying(event(1), event(2, account=OTHER_NUMBER)))
    assert [record.topic for record in driver.published] == ["dead-letters.route"]
    assert driver.rows(SEEN) == {}


def _status(number: int, **more: Any) -> ParsedEvent:
    told = {"kind": "status", "event_type": "status.sent", "status": "sent", "message_id": "wamid.1"} | more
    return event(number, **told)


@pytest.mark.parametrize("status", ["sent", "delivered", "read", "played", "failed", "a status of tomorrow"])
def test_any_status_of_our_own_message_is_a_receipt_for_the_messenger(status: str) -> None:
    """A send in doubt would be sent again although the provider has told that it has it."""
    driver = TopologyTestDriver(UNPACK, route(tenants(acme="default")))
    ours = command_id("e-0", 0)
    driver.pipe(carrying(_status(1, business_opaque_data=ours, event_type=f"status.{status}", status=status)))
    assert [record.topic for record in driver.published] == ["events.default", RECEIPTS.name]
    receipt = driver.published[1]
    assert receipt.key == f"cloud:{NUMBER}".encode()
    assert orjson.loads(receipt.value) == {"command_id": ours, "message_id": "wamid.1", "status": status}


@pytest.mark.parametrize(
    ("odd", "message_id"),
    [
        ({}, "wamid.1"),
        ({"errors": [None]}, "wamid.1"),
        ({"timestamp": None}, "wamid.1"),
        ({"id": 7}, "7"),
        ({"id": [7]}, ""),
    ],
    ids=["nothing", "errors", "no time", "a number for an id", "a list for an id"],
)
def test_a_status_with_an_odd_leaf_is_a_receipt_too(odd: dict[str, Any], message_id: str) -> None:
    """One field that Meta writes in another way would have messages sent twice."""
    ours = command_id("e-0", 0)
    told = {"id": "wamid.1", "status": "delivered", "timestamp": "1767268800", "recipient_id": "15550001111"}
    status = told | {"biz_opaque_callback_data": ours} | odd
    value = {"metadata": {"phone_number_id": NUMBER, "display_phone_number": "1"}, "statuses": [status]}
    webhook = {"entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}
    driver = TopologyTestDriver(parse(PROVIDERS), route(tenants(acme="default")))
    driver.pipe(TestRecord(orjson.dumps(webhook), headers=((headers.PROVIDER, b"cloud"),)))
    receipt = decode_receipt(TestRecord.of(driver.published[1]))
    assert (receipt.command_id, receipt.message_id, receipt.status) == (ours, message_id, "delivered")


def test_a_status_of_anybody_elses_message_is_no_receipt() -> None:
    """The messenger would be misled by somebody else's data."""
    driver = TopologyTestDriver(UNPACK, route(tenants(acme="default")))
    driver.pipe(
        carrying(
            _status(1),
            _status(2, business_opaque_data="a customer's own"),
        )
    )
    assert {record.topic for record in driver.published} == {"events.default"}
