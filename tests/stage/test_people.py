"""What people did goes from intake to the messenger: one record a batch and account, and then rows."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.agents.deduplicate import deduplicate
from pipeline.agents.parse import parse
from pipeline.agents.receive import receive
from pipeline.agents.route import route
from pipeline.messenger.contacts import Contact, find_contact
from pipeline.messenger.fates import Fates
from pipeline.providers import JOINED_BY_MESSAGE, PROVIDERS, WINDOWED
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics import codec, headers
from pipeline.topics.catalogue import CONTACTS, OUTCOMES, RECEIPTS, SEEN, SENT
from pipeline.topics.events import UnknownEvent
from pipeline.topics.events import decode as decode_event
from pipeline.topics.events.status import StatusEvent
from pipeline.topics.receipts import NO_COMMAND, Inbound, Receipt
from pipeline.topics.records import Record
from tests.support.cloud_webhooks import NUMBER, contact, status, text, value, webhook

KEY, PHONE, AT = f"cloud:{NUMBER}", "15550001111", 1_767_268_800


def _intake(**refusals: Any) -> TopologyTestDriver:
    account = {"provider": "cloud", "id": NUMBER, "token": "t"}
    tenant = {"id": "acme", "accounts": [account], "refusals": refusals}
    tenants = Tenants(TenantsFile.model_validate({"tenants": [tenant]}))
    routing = route(tenants, windowed=WINDOWED, joined_by_message=JOINED_BY_MESSAGE)
    return TopologyTestDriver(parse(PROVIDERS), deduplicate(), routing, tables=[SEEN])


def _record(*values: Any, field: str = "messages", offset: int = 0) -> TestRecord:
    body = orjson.dumps(webhook(*values, field=field))
    at = (AT + offset) * 1000
    return TestRecord(body, KEY.encode(), ((headers.PROVIDER, b"cloud"),), "webhooks.raw", offset=offset, timestamp=at)


def _message(number: int, sender: str = PHONE, body: str = "Hello", **more: Any) -> TestRecord:
    said = text(f"wamid.{number}", sender, body) | more
    return _record(value(messages=[said], contacts=[contact(sender)]), offset=number)


def _noted(records: list[Record]) -> list[Inbound]:
    receipts = [codec.decode_receipt(TestRecord.of(each)) for each in records if each.topic == RECEIPTS.name]
    assert all(receipt.command_id == NO_COMMAND for receipt in receipts)
    return [receipt.inbound for receipt in receipts if receipt.inbound]


def test_a_batch_is_one_record_an_account() -> None:
    """Every message would cost a second record, and the limits would not know of half of what is counted."""
    senders = [PHONE, "15550002222", PHONE, PHONE]
    published = _intake().pipe(*(_message(number, sender) for number, sender in enumerate(senders)))
    (inbound,) = _noted(published)
    assert inbound == Inbound(messages=4, last={PHONE: AT + 3, "15550002222": AT + 1})
    (record,) = [each for each in published if each.topic == RECEIPTS.name]
    assert record.key == KEY.encode()


def test_a_batch_that_dies_before_its_marks_is_noted_again() -> None:
    """A person who wrote while a worker died could not be answered."""
    intake = _intake()
    assert _noted(intake.pipe(_message(1), crash_before_mark=True)) == _noted(intake.pipe(_message(1)))
    assert _noted(intake.pipe(_message(1))) == [], "a repeated webhook is none"


@pytest.mark.parametrize(
    ("record", "inbound"),
    [
        (_message(1, referral={"source_id": "ad"}), Inbound(messages=1, last={PHONE: AT + 1}, entry={PHONE: AT + 1})),
        (_message(1, type="hologram"), Inbound(messages=1, last={PHONE: AT + 1})),
        (
            _record(value(calls=[{"id": "c", "from": PHONE, "event": "connect", "timestamp": str(AT)}]), field="calls"),
            Inbound(last={PHONE: AT}),
        ),
    ],
    ids=["an ad", "a type of tomorrow", "a call"],
)
def test_whatever_opens_a_window_is_noted(record: TestRecord, inbound: Inbound) -> None:
    """Who called, or sent something new, would be refused the answer."""
    assert _noted(_intake().pipe(record)) == [inbound]


def test_what_is_said_in_a_group_is_nobodys_word_to_the_business() -> None:
    """A member's stop would stop the group, and the window of the group be that of the member."""
    intake = _intake(opt_out_words=["stop"])
    (inbound,) = _noted(intake.pipe(_message(1, body="stop", group_id="Y2FwaV9ncm91cDox")))
    assert inbound == Inbound(messages=1)


def test_a_call_of_the_business_opens_no_window() -> None:
    """The window of whoever was called would seem open."""
    call = {"id": "c", "to": PHONE, "direction": "BUSINESS_INITIATED", "event": "connect", "timestamp": str(AT)}
    assert _noted(_intake().pipe(_record(value(calls=[call]), field="calls"))) == []


def _preference(wanted: str, **more: Any) -> TestRecord:
    wish = {"wa_id": PHONE, "user_id": "US.1", "category": "marketing_messages", "value": wanted, "timestamp": AT}
    return _record(value(user_preferences=[wish | more]), field="user_preferences")


@pytest.mark.parametrize(("wanted", "wish"), [("stop", (False, AT)), ("resume", (True, AT))])
def test_a_preference_is_noted_by_both_names(wanted: str, wish: tuple[bool, int]) -> None:
    """Marketing to the phone number of a person who declined under the user id would go out."""
    (inbound,) = _noted(_intake().pipe(_preference(wanted)))
    assert inbound.wishes == {PHONE: wish, "US.1": wish}


@pytest.mark.parametrize("odd", [{"category": "other"}, {"value": "hologram"}, {"value": ["stop"]}, {"value": None}])
def test_another_preference_is_no_wish(odd: dict[str, Any]) -> None:
    """A preference that is new would stop all marketing, or the webhook be a dead letter."""
    intake = _intake()
    assert _noted(intake.pipe(_preference("stop", **odd))) == []
    assert not intake.dead_letters


@pytest.mark.parametrize(
    ("said", "wish"), [("STOP", False), (" stop. ", False), ("Start", True), ("please stop", None), ("Hello", None)]
)
def test_the_words_of_a_tenant_decline_and_accept(said: str, wish: bool | None) -> None:
    """A person who says stop would get the next campaign, or one who mentions it would get no more."""
    intake = _intake(opt_out_words=["Stop", "no more"], opt_in_words=["start"])
    (inbound,) = _noted(intake.pipe(_message(1, body=said, timestamp=str(AT))))
    assert inbound.wishes == ({} if wish is None else {PHONE: (wish, AT)})


def test_a_button_declines_as_its_text_does() -> None:
    """The quick reply `Stop` under a template would be an answer like any other."""
    button: dict[str, Any] = {"button": {"text": "Stop", "payload": "p"}, "type": "button", "text": None}
    intake = _intake(opt_out_words=["stop"])
    (inbound,) = _noted(intake.pipe(_message(1, timestamp=str(AT), **button)))
    assert inbound.wishes == {PHONE: (False, AT)}


def test_a_message_that_comes_late_opens_a_window_when_it_comes() -> None:
    """A reply to what an outage has delayed by days would be refused, although nobody knows what Meta says to it."""
    (inbound,) = _noted(_intake().pipe(_message(1, timestamp=str(AT - 200_000))))
    assert inbound.last == {PHONE: AT + 1}


def test_the_messenger_keeps_what_intake_noted() -> None:
    """A restart would forget who declined."""
    messenger = TopologyTestDriver(receive(), tables=[SENT, CONTACTS])
    published = _intake().pipe(_message(1), _preference("stop"))
    messenger.pipe(*(TestRecord.of(each) for each in published if each.topic == RECEIPTS.name))
    messenger.restart()
    assert not messenger.dead_letters
    rows = {key.decode(): row for key, row in messenger.rows(CONTACTS).items()}

    class Table:
        get = rows.get

        def put(self, key: str, value: bytes) -> None:
            raise AssertionError("it only reads")

    assert find_contact(KEY, PHONE, Table()) == Contact(AT + 1, 0, True, AT, "")


def _status(name: str = "delivered", **more: Any) -> TestRecord:
    return _record(value(statuses=[status("wamid.1", name) | {"timestamp": str(AT)} | more]))


ATTACHED = f"cmd-{'a' * 32}.tpbb3b.spring.vip,b"


@pytest.mark.parametrize("more", [{}, {"errors": None}, {"new": 1}], ids=["fast", "odd", "slow"])
def test_a_status_brings_its_cohort_back(more: dict[str, Any]) -> None:
    """A report could not say of which campaign a message is, or every reader would have to take the data apart."""
    event_record, receipt_record = _intake().pipe(_status(biz_opaque_callback_data=ATTACHED, **more))
    event = decode_event(TestRecord.of(event_record))
    assert isinstance(event, StatusEvent | UnknownEvent)
    body = orjson.loads(event_record.value)
    assert (body["business_opaque_data"], body["campaign"], body["tags"]) == (f"cmd-{'a' * 32}", "spring", ["vip", "b"])
    if isinstance(event, StatusEvent):
        assert (event.command_id, event.campaign, event.tags) == (f"cmd-{'a' * 32}", "spring", ["vip", "b"])
    receipt = codec.decode_receipt(TestRecord.of(receipt_record))
    assert (receipt.command_id, receipt.campaign, receipt.tags) == (f"cmd-{'a' * 32}", "spring", ("vip", "b"))
    assert receipt.sent_at is not None


def test_a_failed_status_brings_its_code() -> None:
    """A consumer would hear that a message failed, and not why."""
    errors = [{"code": 131049, "title": "Not delivered", "error_data": {"details": "quotes the message"}}]
    (_, record) = _intake().pipe(_status("failed", biz_opaque_callback_data="cmd-1", errors=errors))
    receipt = codec.decode_receipt(TestRecord.of(record))
    assert (receipt.error_code, receipt.error_message) == (131049, "Not delivered")
    assert b"quotes" not in record.value


@pytest.mark.parametrize("errors", [[{"code": "131049"}], [{"code": True}], [{}], [], None, "x", [7]])
def test_an_odd_error_is_a_failed_status_all_the_same(errors: Any) -> None:
    """A send in doubt would be made again, because its status can't be read."""
    intake = _intake()
    published = intake.pipe(_status("failed", biz_opaque_callback_data="cmd-1", errors=errors))
    receipt = codec.decode_receipt(TestRecord.of(published[-1]))
    assert (receipt.command_id, receipt.status, receipt.error_code) == ("cmd-1", "failed", None)
    assert not intake.dead_letters


def test_the_receipt_of_an_older_intake_is_understood() -> None:
    """While workers are replaced, statuses of new sends would be those of commands that nobody knows."""
    older = orjson.dumps({"command_id": ATTACHED, "message_id": "wamid.1", "status": "read"})
    messenger = TopologyTestDriver(receive(Fates()), tables=[SENT, CONTACTS])
    (record,) = messenger.pipe(TestRecord(older, KEY.encode(), topic=RECEIPTS.name, timestamp=AT * 1000))
    outcome = codec.decode_outcome(TestRecord.of(record))
    assert record.topic == OUTCOMES.name
    assert (outcome.command_id, outcome.campaign, outcome.at.timestamp()) == (f"cmd-{'a' * 32}", "spring", AT)


def test_an_older_messenger_takes_what_people_did_for_a_receipt() -> None:
    """While workers are replaced, every batch would be a dead letter."""
    (record,) = [each for each in _intake().pipe(_message(1)) if each.topic == RECEIPTS.name]
    assert {"command_id", "message_id", "status"} <= set(orjson.loads(record.value))
    assert Receipt(command_id="c", message_id="m", status="s").inbound is None
