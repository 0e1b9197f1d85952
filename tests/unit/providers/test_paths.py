"""Paths of URLs: no id, whatever is in it, leads a request anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from yarl import URL

from pipeline.errors import InvalidRecord
from pipeline.handlers.validation import validate_message_id
from pipeline.providers.cloud.graph import graph_url
from pipeline.providers.gateway import calls as gateway_calls
from pipeline.providers.shared.paths import url_path
from pipeline.providers.waha.bodies import BUILDERS
from pipeline.providers.wasender.bodies import NotPossible, build_calls
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind

NAMED = (CommandKind.EDIT, CommandKind.REVOKE, CommandKind.PIN)
ids = st.text(max_size=20) | st.lists(
    st.sampled_from([".", "..", "/", "\\", "%", "2e", "2F", "?", "#", ";", "@", ":", " ", "\0", "x", "\ud800"]),
    max_size=6,
).map("".join)


STEPS = ["..;x", ";/../x", "a/../b", "./x", "..\\x", "x\\..", "a/..;b"]


def segments(url: str) -> list[str]:
    """The segments of the path as aiohttp sends it, and as any server behind it would read them."""
    path = URL(url).raw_path
    assert not {".", ".."} & set(unquote(path).split("/")) or "%2F" in path
    return [unquote(each) for each in path.split("/")[1:]]


@given(st.lists(ids, min_size=1, max_size=4))
def test_every_part_is_one_segment(parts: list[str]) -> None:
    """An id with a slash or two dots would name another endpoint, with the account's token."""
    try:
        url = "http://host" + url_path(*parts)
    except InvalidRecord:
        return
    assert segments(url) == parts
    assert (URL(url).raw_query_string, URL(url).raw_fragment) == ("", "")


@pytest.mark.parametrize("part", ["", ".", "..", "\ud800", "\0", "a\r\nb", "a\x7f", *STEPS])
def test_what_no_path_can_hold_is_refused(part: str) -> None:
    """Clients and servers take `.` and `..` out of a path, some when they have decoded it or cut it off at `;`."""
    with pytest.raises(InvalidRecord):
        url_path("api", part, "x")


@pytest.mark.parametrize(
    "part",
    ["wamid.HBgL/x+Z==", "a//b", "120363@g.us", "true_1@c.us_3EB0", "...", "..a", "a..", "a/.b", "my phone", "-"],
)
def test_every_id_that_a_provider_gives_has_a_path(part: str) -> None:
    """An answer to a message whose id holds a slash or a dot would be refused."""
    assert segments("http://host" + url_path("api", part)) == ["api", part]


def made(provider: str, kind: CommandKind, recipient: str, message_id: str) -> Command:
    body = {"message_id": message_id, "text": "x"}
    names = {"command_id": "c", "tenant_id": "acme", "provider": provider, "account": "1"}
    return Command(**names, recipient=recipient, kind=kind, body=body, created_at=datetime.now(UTC))


def account(provider: str) -> Account:
    return Account(provider=provider, id="1", token=SecretStr("t"))


def urls(recipient: str, message_id: str) -> Iterator[tuple[str, int]]:
    """Every URL that a provider makes of ids, and how many segments it has."""
    cloud = account("cloud")
    yield graph_url(cloud, message_id), 2
    yield graph_url(cloud, recipient, "invite_link"), 3
    for kind in NAMED:
        (call,) = gateway_calls.build_calls(made("waha", kind, recipient, message_id), account("waha"), BUILDERS)
        yield "http://host" + call.path, 7 if kind is CommandKind.PIN else 6
    for kind in (CommandKind.EDIT, CommandKind.REVOKE):
        (asked,) = build_calls(made("wasender", kind, recipient, message_id))
        yield "http://host" + asked.path, 2


@given(ids.filter(bool), ids.filter(bool))
def test_no_id_of_a_command_changes_the_path_of_its_call(recipient: str, message_id: str) -> None:
    """`..` as a message id deleted the chat above it."""
    found = urls(f"{recipient}@c.us", message_id)
    while True:
        try:
            url, count = next(found)
        except (StopIteration, InvalidRecord, NotPossible):
            return
        assert len(segments(url)) == count


@pytest.mark.parametrize("message_id", [".", "..", "", "  ", None, 7])
def test_what_can_be_no_message_is_refused_at_once(message_id: object) -> None:
    """A handler would be told that its edit is on the way."""
    assert validate_message_id(message_id)
