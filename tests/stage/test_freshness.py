"""A message that arrives long after it was written: on its lane for everybody, and not handled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import orjson
import pytest

from pipeline.agents.deduplicate import deduplicate
from pipeline.agents.handle import handle
from pipeline.agents.parse import parse
from pipeline.agents.route import route
from pipeline.handlers.runner import HandlerRunner
from pipeline.metrics import STALE
from pipeline.providers import PROVIDERS
from pipeline.state import MemoryStore
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics.catalogue import RECEIPTS, SEEN
from pipeline.topics.commands import command_id
from pipeline.topics.dead_letters import DeadLetter, parse_dead_letter
from pipeline.topics.freshness import is_stale
from pipeline.topics.records import Record, header
from tests.support import handlers_for_tests
from tests.support.cloud_webhooks import NUMBER, WABA, contact, status, text, value, webhook
from tests.support.handler_events import settings

WRITTEN: Final = 1_760_000_000
DAY: Final = 86_400
TODAY: Final = (WRITTEN + 90 * DAY) * 1000
ACCOUNT: Final = {"provider": "cloud", "id": NUMBER, "business_id": WABA, "token": "t"}
TENANTS: Final = Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme", "accounts": [ACCOUNT]}]}))
NOBODY: Final = Tenants(TenantsFile.model_validate({"tenants": [{"id": "globex"}]}))


def arriving(body: object, at: float, **headers: bytes) -> TestRecord:
    """A webhook that reached the ingress at this time, in seconds."""
    named = (("provider", b"cloud"), ("received-at", b"%d" % (at * 1000)), *headers.items())
    return TestRecord(orjson.dumps(body), b"cloud:key", named, "webhooks.raw")


def routed(body: object, age: float, limit: float = 7 * DAY, **headers: bytes) -> Sequence[Record]:
    """What the intake makes of a webhook whose events are `age` seconds old."""
    driver = TopologyTestDriver(parse(PROVIDERS), deduplicate(), route(TENANTS, limit), tables=(SEEN,))
    driver.pipe(arriving(body, WRITTEN + age, **headers))
    assert not driver.dead_letters
    return driver.published


def message(**more: Any) -> dict[str, Any]:
    return webhook(value(contacts=[contact()], messages=[text("wamid.1", **more)]))


@pytest.mark.parametrize(
    "body",
    [message(), message(context={"from": "1", "id": "wamid.0"}), message(type="hologram"), message(unheard_of=1)],
    ids=["usual", "reply", "of a new type", "with a new field"],
)
def test_a_message_is_stale_when_it_arrives_too_late(body: object) -> None:
    """Who has seen a webhook could have a hook act on it again, a week after its id was forgotten."""
    (fresh,) = routed(body, 7 * DAY)
    (stale,) = routed(body, 7 * DAY + 60)
    assert (is_stale(TestRecord.of(fresh)), is_stale(TestRecord.of(stale))) == (False, True)
    assert header(stale.headers, "stale") == str(7 * DAY + 60)
    assert (stale.topic, stale.key) == (fresh.topic, fresh.key), "every other consumer reads it as it would"


def test_without_a_limit_nothing_is() -> None:
    """An installation that has set nothing would leave messages unanswered after an upgrade."""
    assert not is_stale(TestRecord.of(routed(message(), 400 * DAY, limit=0)[0]))


@pytest.mark.parametrize(
    "body",
    [
        message(timestamp=str(WRITTEN + 400 * DAY)),
        webhook({"event": "PAUSED"}, field="message_template_status_update"),
        webhook(value(errors=[{"code": 1, "title": "t"}])),
        webhook(value(history=[{"metadata": {"phase": 0}, "threads": []}]), field="history"),
        webhook(value(message_echoes=[text("wamid.E")]), field="smb_message_echoes"),
    ],
    ids=["from the future", "account event", "error without a time", "history", "echo"],
)
def test_what_has_no_time_or_is_no_message_is_never_stale(body: object) -> None:
    """A clock that is wrong, a template's verdict or a chat's history would be kept from its hook."""
    for record in routed(body, 30 * DAY):
        assert not is_stale(TestRecord.of(record))


def test_a_status_settles_its_send_however_late_it_comes() -> None:
    """A send in doubt would be sent again although its status is there; and nobody would hear of it."""
    told = status("wamid.1", biz_opaque_callback_data=command_id("e", 0))
    event, receipt = routed(webhook(value(statuses=[told])), 30 * DAY)
    assert receipt.topic == RECEIPTS.name
    assert not is_stale(TestRecord.of(event))


def test_a_redrive_is_handled_however_old_it_is() -> None:
    """A message that waited for its tenant would be redriven on purpose and stay unanswered."""
    early = TopologyTestDriver(parse(PROVIDERS), deduplicate(), route(NOBODY, DAY), tables=(SEEN,))
    early.pipe(arriving(message(), WRITTEN + 2 * DAY))
    letter = parse_dead_letter(TestRecord.of(early.dead_letters[0]))
    assert isinstance(letter, DeadLetter)
    late = TopologyTestDriver(parse(PROVIDERS), deduplicate(), route(TENANTS, DAY), tables=(SEEN,))
    (event,) = late.pipe(TestRecord.of(letter.redriven(TODAY)))
    assert not is_stale(TestRecord.of(event))


def test_a_letter_of_a_stale_event_is_handled_when_it_is_redriven() -> None:
    """As above, where the event itself was the dead letter; and what it was redriven as would grow each time."""
    (stale,) = routed(message(), 30 * DAY)
    reason = [(name, b"1") for name in ("error-type", "error-message", "stage", "attempts", "origin-topic")]
    reason += [(name, b"1") for name in ("origin-partition", "origin-offset", "failed-at")]
    letter = parse_dead_letter(TestRecord.of(stale._replace(headers=[*stale.headers, *reason])))
    assert isinstance(letter, DeadLetter)
    again = letter.redriven(TODAY)
    assert not is_stale(TestRecord.of(again))
    twice = letter._replace(headers=again.headers).redriven(TODAY)
    assert twice == again


def test_the_hook_of_a_stale_message_does_not_run() -> None:
    """A user would be answered to something said weeks ago, by whoever posts it again."""
    path = f"{handlers_for_tests.__name__}.Attentive"

    async def runner() -> HandlerRunner:
        return HandlerRunner(settings(path), TENANTS, MemoryStore())

    driver = TopologyTestDriver(handle(asyncio.run(runner()), 10))
    before = STALE.labels("acme")._value.get()
    driver.pipe(TestRecord.of(routed(message(), 30 * DAY)[0]))
    assert (driver.published, driver.dead_letters) == ([], [])
    assert STALE.labels("acme")._value.get() == before + 1
    driver.pipe(TestRecord.of(routed(message(), DAY)[0]))
    assert driver.published
