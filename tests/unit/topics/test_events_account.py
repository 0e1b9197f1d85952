"""Account events, statuses and errors: what they say, by the names that handlers know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from pipeline.providers.cloud.accounts import KINDS
from pipeline.providers.cloud.parse import parse_record
from pipeline.topics.events import AccountEvent, AccountEventType, ErrorEvent, StatusEvent, SystemEventType, decode
from pipeline.topics.events.details import (
    DETAILS,
    AccountEventDetail,
    AccountUpdate,
    Call,
    CallStatus,
    ContactChange,
    GroupChange,
    History,
    TemplateStatus,
    UserAction,
    detail_of,
)
from tests.support.cloud_webhooks import Json, Raw, named_examples, status, value, webhook

BODIES = {example.name: example.body for example in named_examples()}


def _decoded(whole: Json) -> Any:
    return decode(Raw(next(iter(parse_record(Raw(orjson.dumps(whole))))).encode("acme")))


def _account(name: str) -> AccountEvent:
    event = _decoded(BODIES[name])
    assert isinstance(event, AccountEvent)
    return event


def _detail(name: str) -> Any:
    return _account(name).detail


ACCOUNT_EXAMPLES = [
    example.name
    for example in named_examples()
    if any(each in set(AccountEventType) for each in example.events) and len(example.events) == 1
]


@pytest.mark.parametrize("name", ACCOUNT_EXAMPLES)
def test_every_documented_account_event_fits_its_model(name: str) -> None:
    """A handler would read None where the platform says something."""
    event = _account(name)
    expected = DETAILS.get(event.event_type, AccountEventDetail)
    assert type(event.detail) is expected
    assert event.detail.model_dump(exclude_unset=True, mode="json").keys() == event.data.keys()
    if expected is not AccountEventDetail:
        assert set(event.data) & {field.alias or name for name, field in expected.model_fields.items()}
    assert event.get_summary()["event_type"] == event.event_type


def test_every_type_that_the_cloud_api_makes_has_an_example() -> None:
    """A field could be mapped to the wrong type and nobody would see it."""
    made = {kind.event_type for lists in KINDS.values() for kind in lists.values()}
    assert made == {_account(name).event_type for name in ACCOUNT_EXAMPLES}


def test_what_the_details_say() -> None:
    """A breaker would not trip at a restriction, or a group's members would be unknown."""
    restricted, violated = _detail("account restricted"), _detail("account violated a policy")
    assert isinstance(restricted, AccountUpdate)
    assert restricted.restriction_types == ["RESTRICTED_BIZ_INITIATED_MESSAGING"]
    assert (violated.violation_type, restricted.violation_type) == ("SPAM", None)
    template, action = _detail("template paused"), _detail("link in a marketing message clicked")
    assert isinstance(template, TemplateStatus)
    assert (template.event, template.message_template_name) == ("PAUSED", "order_update")
    assert isinstance(action, UserAction)
    assert action.action_data["click_id"] == "clk-1"
    joined, contact = _detail("member joined a group"), _detail("contact of the Business app")
    assert isinstance(joined, GroupChange)
    assert [each.wa_id for each in joined.added_participants] == ["15550001111"]
    assert isinstance(contact, ContactChange)
    assert (contact.action, contact.contact and contact.contact["full_name"]) == ("add", "Ana Kim")
    history = _detail("history of the Business app")
    assert isinstance(history, History)
    assert history.threads[0].messages[0]["id"] == "wamid.OLD1"


def test_what_does_not_fit_is_still_there() -> None:
    """One field of another type would hide everything else that the event says."""
    detail = detail_of(AccountEventType.CALL, {"id": [], "event": "connect", "new": [5]})
    assert isinstance(detail, Call)
    assert (detail.id, detail.event, detail.model_extra) == (None, "connect", {"new": [5]})


@pytest.mark.parametrize("event_type", DETAILS)
def test_details_may_be_empty(event_type: str) -> None:
    """A field that the platform leaves out would cost the whole view."""
    assert type(detail_of(event_type, {})) is DETAILS[event_type]


def test_a_call() -> None:
    """A handler for calls would not know whose call it is, or how long it took."""
    event = _account("call ended")
    assert isinstance(event.detail, Call)
    assert (event.is_call, event.call_id, event.event, event.direction) == (
        True,
        "wacid.CALL1",
        "terminate",
        "USER_INITIATED",
    )
    assert (event.status, event.duration, event.business_opaque_data) == ("COMPLETED", 84, "cmd-9")
    assert (event.phone_number, event.user_id, event.bsuid, event.parent_bsuid) == (
        "15550001111",
        "15550001111",
        None,
        None,
    )
    assert event.raw_call == event.data
    ringing = _account("call rings")
    assert ringing.session == {"sdp_type": "offer", "sdp": "v=0"}
    of_ours = _account("status of a call to a user")
    assert isinstance(of_ours.detail, CallStatus)
    assert (of_ours.status, of_ours.duration, of_ours.session, of_ours.user_id) == (
        "RINGING",
        None,
        None,
        "15550001111",
    )


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("marketing stopped by a user", "marketing_preference", {"preference_value": "stop", "wa_id": "15550001111"}),
        (
            "user id changed, by the former field",
            "user_id_change",
            {"previous_user_id": "US.4815162342108", "current_user_id": "US.9999162342108", "wa_id": "15550001111"},
        ),
        ("account offboarded", "account_offboarded", {"waba_id": "900800700600500", "reason": "USER_DISCONNECTED"}),
        ("account reconnected", "account_reconnected", {"phone_number_id": "100200300400500"}),
        ("username of the business", "business_username_update", {"username": "shop", "username_status": "approved"}),
        ("member joined a group", "group_participants_update", {"group_event_type": "group_participants_add"}),
        ("history of the Business app", "history_sync", {}),
        ("message sent with the Business app", "smb_message_echo", {}),
        ("contact of the Business app", "smb_app_state_sync", {}),
        ("link in a marketing message clicked", "user_action", {"action_type": "marketing_messages_link_click"}),
        ("template paused", None, {"reason": None}),
    ],
)
def test_account_events_have_the_names_of_system_webhooks(name: str, kind: str | None, said: Json) -> None:
    """Handlers that were written for Wappa's system webhooks would read nothing."""
    event = _account(name)
    assert event.system_event_type == (SystemEventType(kind) if kind else None)
    assert {each: getattr(event.event_detail, each) for each in said} == said
    payload = event.event_detail.coexistence_payload
    assert payload == (event.data if kind in ("history_sync", "smb_message_echo", "smb_app_state_sync") else None)
    assert (event.is_user_id_change, event.is_marketing_preference) == (
        kind == "user_id_change",
        kind == "marketing_preference",
    )
    assert not event.is_number_change


def _status(name: str, **more: Any) -> StatusEvent:
    event = _decoded(webhook(value(statuses=[status("wamid.O", name, **more)])))
    assert isinstance(event, StatusEvent)
    return event


@pytest.mark.parametrize(
    ("name", "progress", "successful"),
    [
        ("pending", 0, 0),
        ("sent", 1, 1),
        ("delivered", 2, 1),
        ("read", 3, 1),
        ("played", 4, 1),
        ("failed", None, 0),
        ("deleted", None, 0),
        ("tomorrow", None, 0),
    ],
)
def test_statuses_know_their_order(name: str, progress: int | None, successful: int) -> None:
    """A delivered that comes late would undo a read."""
    event = _status(name)
    assert (event.progress, event.is_successful) == (progress, bool(successful))
    assert (event.is_sent, event.is_delivered, event.is_read, event.is_failed) == tuple(
        name == each for each in ("sent", "delivered", "read", "failed")
    )


def test_what_a_status_tells_of_its_price() -> None:
    """A bill could not be explained."""
    pricing = {"billable": False, "pricing_model": "PMP", "type": "free_entry_point", "category": "marketing"}
    window = {"id": "c", "expiration_timestamp": "1760086400", "origin": {"type": "referral_conversion"}}
    event = _status("sent", pricing=pricing, conversation=window, biz_opaque_callback_data="cmd-1")
    billing = event.billing
    assert billing is not None
    assert (billing.conversation_id, billing.category, billing.origin_type) == ("c", *["referral_conversion"] * 2)
    assert (billing.pricing_model, billing.pricing_type, billing.pricing_category) == (
        "PMP",
        "free_entry_point",
        "marketing",
    )
    assert (billing.is_free_conversation(), billing.is_billable) == (True, False)
    assert billing.is_expired(datetime(2026, 1, 1, tzinfo=UTC))
    assert (event.has_billing_info, event.is_billable, event.get_pricing_info()) == (True, False, pricing)
    assert event.get_conversation_info() == window | {"expiration_timestamp": 1760086400}
    assert event.get_delivery_info()["timestamp"] == 1760000002
    assert (_status("sent").billing, _status("sent").get_pricing_info(), _status("sent").get_error_info()) == (
        None,
    ) * 3


def test_whatever_else_a_status_carries_stays() -> None:
    """A field that Meta adds to statuses would be lost, or would overwrite one of ours."""
    event = _status("sent", type="payment", payment={"reference_id": "r"}, account="theirs", recipient_bsuid=5)
    assert event.model_extra == {"type": "payment", "payment": {"reference_id": "r"}}
    assert event.account != "theirs"


def test_what_errors_can_be_asked() -> None:
    """A handler could not tell a throttled number from a lost token."""
    told = [{"code": 130429, "title": "Rate limit hit", "href": "https://docs"}, {"code": 190, "title": "Token"}]
    event = _decoded(webhook(value(errors=told)))
    assert isinstance(event, ErrorEvent)
    assert (event.error_count, event.error_codes, event.error_titles) == (2, [130429, 190], ["Rate limit hit", "Token"])
    assert event.error_messages == event.error_titles
    assert (event.primary_error, event.get_error_by_code(190), event.get_error_by_code(1)) == (*event.errors, None)
    assert (event.has_error_code(190), event.is_rate_limit_error(), event.is_bsuid_auth_error()) == (True, True, False)
    assert (event.is_system_error(), event.is_app_error(), event.is_account_error()) == (True, False, False)
    assert (event.get_error_severity(), event.get_documentation_url()) == ("critical", "https://docs")
    mild = _decoded(webhook(value(errors=told[:1])))
    assert mild.get_error_severity() == "warning"
    assert _decoded(webhook(value(errors=[{"code": 131051}]))).get_error_severity() == "error"
