"""One webhook into one slice for each conversation."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.providers.base import Slice
from pipeline.providers.cloud.parse import parse_record
from pipeline.providers.cloud.split import split_body
from tests.support.cloud_webhooks import (
    NUMBER,
    WABA,
    Json,
    Raw,
    anything,
    contact,
    disfigured,
    examples,
    merged,
    status,
    text,
    value,
    webhook,
    webhooks,
)

ACCOUNT = f"cloud:{NUMBER}"


def _split(whole: Json) -> list[Slice]:
    return split_body(orjson.dumps(whole))


def _events(body: bytes) -> Counter[tuple[str, str, bytes]]:
    """What matters of each event: its id, its conversation, and the webhook that it is alone in."""
    return Counter(
        (event.event_id, event.conversation, orjson.dumps(event.body["raw"], option=orjson.OPT_SORT_KEYS))
        for event in parse_record(Raw(body))
    )


def test_one_conversation_is_published_byte_for_byte() -> None:
    """What is kept would not be what the provider signed, and could not be checked again."""
    whole = webhook(value(contacts=[contact()], messages=[text("wamid.1"), text("wamid.2")]))
    body = orjson.dumps(whole, option=orjson.OPT_INDENT_2) + b"\n"
    assert split_body(body) == [Slice(f"{ACCOUNT}:15550001111", NUMBER, body)]


def test_conversations_are_cut_apart_in_order() -> None:
    """Messages of one person could be handled before others of theirs that came first."""
    messages = [text("wamid.1", "1"), text("wamid.2", "2"), text("wamid.3", "1")]
    made = _split(webhook(value(contacts=[contact("1"), contact("2", "Bo")], messages=messages)))
    assert [each.key for each in made] == [f"{ACCOUNT}:1", f"{ACCOUNT}:2"]
    values = [orjson.loads(each.body)["entry"][0]["changes"][0]["value"] for each in made]
    assert [[message["id"] for message in each["messages"]] for each in values] == [["wamid.1", "wamid.3"], ["wamid.2"]]
    assert [[person["wa_id"] for person in each["contacts"]] for each in values] == [["1"], ["2"]]


def test_two_entries_three_messages_two_contacts_and_two_statuses() -> None:
    """A reply would be missing or sent twice."""
    first = webhook(
        value(messages=[text("wamid.1", "1"), text("wamid.2", "2")]), value(statuses=[status("wamid.O", recipient="1")])
    )
    second = webhook(value(messages=[text("wamid.3", "1")], statuses=[status("wamid.P", recipient="2")]))
    made = _split(merged(first, second))
    assert [each.key for each in made] == [f"{ACCOUNT}:1", f"{ACCOUNT}:2"]
    assert [len(list(parse_record(Raw(each.body)))) for each in made] == [3, 2]


@given(webhooks)
def test_slices_hold_what_the_whole_held(whole: Json) -> None:
    """An event would be lost, or multiplied, or land in another conversation by being cut out."""
    body = orjson.dumps(whole)
    made = split_body(body)
    assert sum((_events(each.body) for each in made), Counter()) == _events(body)
    for each in made:
        assert {conversation for _, conversation, _ in _events(each.body)} <= {each.key}
    assert len({each.key for each in made}) == len(made)


@given(webhooks)
def test_a_slice_is_not_cut_again(whole: Json) -> None:
    """A slice that is replayed through the ingress would get another key."""
    for each in split_body(orjson.dumps(whole)):
        assert split_body(each.body) == [each]


@given(webhooks, webhooks)
def test_keys_do_not_depend_on_the_neighbours(one: Json, other: Json) -> None:
    """A redelivery that is batched differently would go to another partition, where its duplicate is not known."""
    alone = _events(orjson.dumps(one))
    together = _events(orjson.dumps(merged(one, other)))
    assert {pair[:2] for pair in alone} <= {pair[:2] for pair in together}


@given(disfigured())
def test_odd_shapes_are_cut_without_loss(whole: Json) -> None:
    """One odd value in a batch would lose the others, or stop the ingress."""
    body = orjson.dumps(whole)
    found: Counter[str] = Counter()
    for each in split_body(body):
        found += Counter(event.event_id for event in parse_record(Raw(each.body)))
    assert found == Counter(event.event_id for event in parse_record(Raw(body)))


@given(st.one_of(st.binary(), anything.map(orjson.dumps)))
def test_anything_else_is_one_slice(body: bytes) -> None:
    """An authentic body that nobody can read would be refused for seven days instead of being kept as a dead letter."""
    made = split_body(body)
    assert len(made) == 1
    assert made[0].body == body


def test_what_can_not_be_read_has_the_providers_own_key() -> None:
    """Unreadable bodies would be spread over the partitions without any order."""
    assert split_body(b"not json") == [Slice("cloud", "", b"not json")]


def test_affairs_of_the_account_have_the_accounts_key() -> None:
    """A template's pause and its resumption could be read in the wrong order."""
    template: dict[str, Any] = {"event": "PAUSED", "message_template_id": 1}
    assert _split(webhook(template, field="message_template_status_update"))[0][:2] == (f"cloud:{WABA}", WABA)
    assert _split(webhook(value(errors=[{"code": 1, "title": "t"}])))[0][:2] == (ACCOUNT, NUMBER)


def test_deeply_nested_batches_are_one_slice() -> None:
    """A body that can be read and not written again would be answered 500 for seven days."""
    body = b'{"entry":[{"id":"1","changes":[%s]}]}' % b",".join(
        b'{"field":"messages","value":{"metadata":{"phone_number_id":"1"},"messages":[{"from":"%d","id":"%d","x":%s}]}}'
        % (n, n, b"[" * 300 + b"]" * 300)
        for n in range(2)
    )
    assert [each.body for each in split_body(body)] == [body]


@pytest.mark.parametrize("whole", list(examples()), ids=lambda each: str(each["entry"][0]["changes"][0]["field"]))
def test_the_documented_webhooks_are_cut_without_loss(whole: Json) -> None:
    """A kind of webhook that Meta documents would not come through."""
    made = _split(whole)
    found = sum((_events(each.body) for each in made), Counter())
    assert found == _events(orjson.dumps(whole))


def test_a_thousand_people_in_one_webhook() -> None:
    """A full batch would block the ingress for everybody else."""
    people = [str(15550000000 + n) for n in range(1000)]
    whole = webhook(value(contacts=[contact(p) for p in people], messages=[text(f"wamid.{p}", p) for p in people]))
    made = _split(whole)
    assert [each.key for each in made] == [f"{ACCOUNT}:{p}" for p in people]


@pytest.mark.parametrize("name", ["entry", "change", "webhook", ""], ids=repr)
def test_a_list_may_have_any_name(name: str) -> None:
    """A list that Meta calls `entry` one day would be taken for a broken envelope, and end on another partition."""
    whole = webhook(value(messages=[text("wamid.1")]) | {name: [{"id": "1"}]})
    for part in split_body(orjson.dumps(whole)):
        assert [event.conversation for event in parse_record(Raw(part.body))] == [part.key]


def test_equal_pieces_are_not_one() -> None:
    """Of two broken pieces in one webhook, or of all that came with them, something would be lost."""
    whole = {"entry": [None, None, {"id": "1", "changes": [None, None, 5, 5]}, *webhook(value())["entry"]]}
    assert len([event for part in split_body(orjson.dumps(whole)) for event in parse_record(Raw(part.body))]) == 7
