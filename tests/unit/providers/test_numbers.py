"""Phone numbers in any punctuation: one number, one conversation, at every provider."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.providers import PROVIDERS
from pipeline.providers.cloud.bodies import build_body
from pipeline.providers.gateway.command_fields import chat_id
from pipeline.providers.wasender.bodies import address
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.keys import conversation_key
from pipeline.topics.numbers import phone_digits

NUMBER = "15550001111"
SEPARATORS = (
    " \t.-()/[]+\u00a0\u00ad\u2009\u200b\u200e\u200f\u2010\u2011\u2012\u2013"
    "\u2212\u202a\u202c\u2060\u2066\u00b7\u3000\ufeff"
)
WRITTEN = [
    NUMBER,
    "+15550001111",
    "+1 555 000 1111",
    "+1 (555) 000-1111",
    "1.555.000.1111",
    "+1\u00a0555\u00a0000\u00a01111",
    "+1\u2011555\u2011000\u20111111",
    "\u202a+1 555 000-1111\u202c",
    "+1/555/0001111",
    "\uff0b\uff11\uff15\uff15\uff15\uff10\uff10\uff10\uff11\uff11\uff11\uff11",
    "\u0661\u0665\u0665\u0665\u0660\u0660\u0660\u0661\u0661\u0661\u0661",
    " 15550001111\n",
]


def test_each_provider_is_tried() -> None:
    """A new provider would have its own idea of a number."""
    assert set(PROVIDERS) - {"api"} == {"cloud", "wasender", "wawp", "waha"}


@pytest.mark.parametrize("provider", ["cloud", "wasender", "wawp", "waha"])
@pytest.mark.parametrize("written", WRITTEN)
def test_a_number_is_one_conversation_however_it_is_written(provider: str, written: str) -> None:
    """One person would have two conversations: two orders of messages, two states, two workers at once."""
    contact = PROVIDERS[provider].contact(written)
    assert conversation_key(provider, "1", contact) == f"{provider}:1:{NUMBER}"


@pytest.mark.parametrize("provider", ["wasender", "wawp", "waha"])
@pytest.mark.parametrize("server", ["c.us", "s.whatsapp.net"])
@pytest.mark.parametrize("written", ["15550001111", "+15550001111", "+1\u00a0555\u20110001111", "1.555.000.1111"])
def test_a_number_in_an_address_is_one_conversation(provider: str, server: str, written: str) -> None:
    """Who is sent to by address would have another conversation than who writes."""
    assert PROVIDERS[provider].contact(f"{written}@{server}") == NUMBER


@pytest.mark.parametrize("written", WRITTEN)
def test_a_number_goes_out_without_its_punctuation(written: str) -> None:
    """A number that was copied from a page would be refused by one provider and taken by another."""
    assert sent("cloud", written)["to"].removeprefix("+") == NUMBER
    assert address(written) == f"+{NUMBER}"
    assert chat_id(command("waha", written)) == f"{NUMBER}@c.us"


@given(st.lists(st.sampled_from(SEPARATORS), min_size=12, max_size=12))
def test_no_separator_matters(between: list[str]) -> None:
    """The next mark that an office program puts into a number would make another person of it."""
    written = "".join(mark + digit for mark, digit in zip(between, NUMBER + " ", strict=True))
    assert phone_digits(written) == NUMBER


@pytest.mark.parametrize("text", ["", " ", "+", "abc", "US.4815162342108", "1555,1666", "15550001111@c.us", "1;2", "½"])
def test_what_is_no_number_is_none(text: str) -> None:
    """Two numbers, or a user id, would become a number that belongs to somebody else."""
    assert phone_digits(text) is None


@given(st.text(max_size=40))
def test_any_text_is_a_number_in_ascii_or_none(text: str) -> None:
    """A partition key would hold what another client writes otherwise."""
    found = phone_digits(text)
    assert found is None or (found.isascii() and found.isdecimal())
    assert found is None or phone_digits(found) == found


def command(provider: str, recipient: str) -> Command:
    names = {"command_id": "c", "tenant_id": "acme", "provider": provider, "account": "1"}
    return Command(
        **names, recipient=recipient, kind=CommandKind.TEXT, body={"text": "hi"}, created_at=datetime.now(UTC)
    )


def sent(provider: str, recipient: str) -> dict[str, Any]:
    return build_body(command(provider, recipient))
