"""JIDs and composite ids: what keys and answers are made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.providers.gateway.jids import (
    CompositeMessageId,
    contact_key,
    message_id,
    normalize_jid,
    parse_message_id,
    phone_number,
    to_jid,
)


@pytest.mark.parametrize(
    ("written", "full", "key"),
    [
        ("15550001111@c.us", "15550001111@c.us", "15550001111"),
        ("15550001111@s.whatsapp.net", "15550001111@c.us", "15550001111"),
        ("15550001111:12@s.whatsapp.net", "15550001111@c.us", "15550001111"),
        ("120363000000000001@g.us", "120363000000000001@g.us", "120363000000000001@g.us"),
        ("120363111111111111@newsletter", "120363111111111111@newsletter", "120363111111111111@newsletter"),
        ("777000111:3@lid", "777000111@lid", "777000111@lid"),
        ("status@broadcast", "status@broadcast", "status@broadcast"),
        ("your_number@c.us", "your_number@c.us", "your_number@c.us"),
    ],
)
def test_every_suffix(written: str, full: str, key: str) -> None:
    """One person would have two conversations, or a group the conversation of a person with its number."""
    assert normalize_jid(written) == full
    assert contact_key(full) == key


@pytest.mark.parametrize("value", [None, 5, "", "me", "@c.us", "15550001111", ["a@c.us"]])
def test_what_is_no_jid(value: object) -> None:
    """A label's id would become a contact."""
    assert normalize_jid(value) is None


@pytest.mark.parametrize("given", ["15550001111", "+1 555 000-1111", "15550001111@c.us", "15550001111@s.whatsapp.net"])
def test_a_recipient_may_be_a_bare_number(given: str) -> None:
    """A handler could not answer the phone number that its event names."""
    assert to_jid(given) == "15550001111@c.us"


def test_a_composite_id_is_taken_apart() -> None:
    """The chat of a status would be unknown, and it would not be in order with its messages."""
    group = parse_message_id("false_120363000000000001@g.us_3EB0AA_15550001111@c.us")
    assert group == CompositeMessageId(False, "120363000000000001@g.us", "3EB0AA", "15550001111@c.us")
    assert parse_message_id({"_serialized": "true_1@c.us_B"}) == CompositeMessageId(True, "1@c.us", "B", None)
    assert [parse_message_id(each) for each in ("msg_abc123", "evt_1", "false_me_A", "", None, 5)] == [None] * 6
    assert message_id({"id": "A"}) is None


@given(st.text(max_size=20))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    """A key would depend on how many stages have seen it."""
    once = normalize_jid(text)
    assert once is None or normalize_jid(once) == once
    assert once is None or (phone_number(once) or "0").isdecimal()
