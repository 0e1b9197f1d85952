"""Which conversation a part belongs to."""

from __future__ import annotations

import orjson
import pytest

from pipeline.providers.cloud.split import split_body
from tests.support.cloud_webhooks import NUMBER, Json, contact, status, text, value, webhook

GROUP = "Y2FwaV9ncm91cDoxMjM0NTY3ODkwWkQ"


def _contact(whole: Json) -> str | None:
    """The contact's part of the key of a webhook of one conversation."""
    (only,) = split_body(orjson.dumps(whole))
    return only.key.removeprefix(f"cloud:{NUMBER}").removeprefix(":") or None


def _message(**message: object) -> Json:
    return value(messages=[text("wamid.1") | message])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (_message(), "15550001111"),
        (_message(from_user_id="US.1"), "US.1"),
        (_message(group_id=GROUP, from_user_id="US.1"), GROUP),
        (_message() | {"contacts": [contact(user_id="US.1")]}, "US.1"),
        (_message() | {"contacts": [contact("2", user_id="US.2"), contact(user_id="US.1")]}, "US.1"),
        (_message() | {"contacts": [contact("2", user_id="US.2")]}, "15550001111"),
        (_message() | {"contacts": "odd"}, "15550001111"),
        (_message(**{"from": "+1 (555) 000-1111"}), "15550001111"),
        (_message(**{"from": None}) | {"contacts": [contact("3")]}, "3"),
        (_message(**{"from": None}) | {"contacts": [contact("3", user_id="US.3")]}, "US.3"),
        (_message(**{"from": None}), None),
        (_message(type="system", system={"previous_user_id": "US.1", "user_id": "US.9"}), "US.1"),
    ],
)
def test_whose_message_it_is(given: Json, expected: str | None) -> None:
    """Two messages of one person could be handled at once, or in the wrong order."""
    assert _contact(webhook(given)) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (status("wamid.1"), "15550001111"),
        (status("wamid.1", recipient_user_id="US.1"), "US.1"),
        (status("wamid.1", recipient=GROUP, recipient_type="group", recipient_participant_id="1"), GROUP),
        (status("wamid.1") | {"recipient_id": None}, None),
    ],
)
def test_whose_status_it_is(given: Json, expected: str | None) -> None:
    """A status could overtake the message that it answers."""
    assert _contact(webhook(value(statuses=[given]))) == expected


@pytest.mark.parametrize("ids", [{}, {"user_id": "US.1"}], ids=str)
def test_a_message_and_its_statuses_share_their_key(ids: dict[str, str]) -> None:
    """What a person writes and what becomes of the answer would not be in order with each other."""
    named = {"recipient_user_id": ids["user_id"]} if ids else {}
    message = webhook(_message() | {"contacts": [contact(**ids)]})
    assert _contact(message) == _contact(webhook(value(statuses=[status("wamid.O", **named)])))
    beside = value(statuses=[status("wamid.O")]) | {"contacts": [contact(**ids)]}
    assert _contact(message) == _contact(webhook(beside))


@pytest.mark.parametrize(
    ("field", "given", "expected"),
    [
        ("calls", {"calls": [{"from": "1", "to": "2", "direction": "USER_INITIATED"}]}, "1"),
        ("calls", {"calls": [{"from": "1", "to": "2", "direction": "BUSINESS_INITIATED"}]}, "2"),
        ("smb_message_echoes", {"message_echoes": [{"from": "1", "to": "2", "to_user_id": "US.2"}]}, "US.2"),
        ("user_preferences", {"user_preferences": [{"wa_id": "1", "value": "stop"}]}, "1"),
        ("group_participants_update", {"groups": [{"group_id": GROUP}]}, GROUP),
        ("messages", {"user_actions": [{"action_type": "x"}]}, None),
        ("messages", {"errors": [{"code": 1}]}, None),
        ("history", {"history": [{"threads": []}]}, None),
    ],
)
def test_other_fields_follow_the_person_they_name(field: str, given: Json, expected: str | None) -> None:
    """A stop of marketing could be read after the campaign's next message."""
    assert _contact(webhook(value(**given), field=field)) == expected
