"""Callback data: what a send attaches comes back as it was, in every form that was ever attached."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.topics.callback_data import (
    MAX_LENGTH,
    MAX_NAME,
    MAX_TAGS,
    CallbackData,
    Cohort,
    callback_fields,
    decode_callback_data,
    encode_callback_data,
    is_name,
)
from pipeline.topics.commands import command_id

NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
OURS = command_id("e-1", 0)
NOW = 1_767_268_800


@given(st.integers(36**5, 36**7 - 1), st.none() | NAMES, st.lists(NAMES, max_size=MAX_TAGS))
def test_what_is_attached_comes_back(now: int, campaign: str | None, tags: list[str]) -> None:
    """A report would count a message for another campaign, or for another day."""
    data = encode_callback_data(OURS, now + 0.7, campaign, tags)
    assert len(data) <= MAX_LENGTH, "the Cloud API would refuse the send"
    cohort = Cohort(datetime.fromtimestamp(now, UTC), campaign, tuple(tags))
    assert decode_callback_data(data) == CallbackData(OURS, cohort)


def test_the_longest_names_fit() -> None:
    """A send within the limits that its handler is told would be refused by the Cloud API."""
    data = encode_callback_data(OURS, NOW, "c" * MAX_NAME, [str(each) * MAX_NAME for each in range(MAX_TAGS)])
    assert decode_callback_data(data) != CallbackData(OURS, Cohort()), "they are in it"
    assert len(data) <= MAX_LENGTH


@pytest.mark.parametrize("data", [OURS, "cmd-1", "cmd-made.by.another", "cmd-a.b", "cmd-a.", "cmd-" + "x" * 500])
def test_an_old_form_is_the_id_alone(data: str) -> None:
    """Statuses of sends from before an upgrade would resolve nothing, and the sends be made again."""
    assert decode_callback_data(data) == CallbackData(data, Cohort())
    assert callback_fields(data) == {}


@pytest.mark.parametrize("odd", ["order-17", "", None, 7, ["cmd-1"]])
def test_what_others_attached_is_not_ours(odd: object) -> None:
    """The messenger would be misled by somebody else's data."""
    assert decode_callback_data(odd) is None
    assert callback_fields(odd) == {}


@pytest.mark.parametrize("name", ["made.by.another", "cmd-with.a.dot", "cmd-" + "x" * 508])
def test_an_id_that_leaves_no_room_is_attached_alone(name: str) -> None:
    """The command of another producer would get an id that nobody knows, or be refused for its length."""
    assert encode_callback_data(name, NOW, "spring", ["vip"]) == name


@pytest.mark.parametrize("odd", ["a.b", "two words", ""])
def test_a_name_that_can_not_be_carried_is_left_out(odd: str) -> None:
    """The statuses of another producer's send would name a command that nobody knows."""
    attached = decode_callback_data(encode_callback_data(OURS, NOW, odd, [odd, "vip"]))
    assert attached == CallbackData(OURS, Cohort(datetime.fromtimestamp(NOW, UTC), None, ("vip",)))


@pytest.mark.parametrize("odd", ["", "two words", "a.b", "a,b", "ü", "x" * 65, None, 7])
def test_a_name_has_only_what_can_be_carried(odd: object) -> None:
    """A dot in a campaign's name would be read as the end of it."""
    assert not is_name(odd)
