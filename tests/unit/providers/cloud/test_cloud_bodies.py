"""What the Cloud API is sent beyond what other clients show, and that the sandbox takes all of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from pipeline.errors import InvalidRecord, UnsupportedCommand
from pipeline.handlers.media.gateway import Upload
from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.providers.cloud.answer import interpret
from pipeline.providers.cloud.bodies import KINDS, build_body
from pipeline.providers.cloud.deliver import send_command
from pipeline.providers.cloud.media import upload_media
from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import served
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind
from tests.support.handler_events import ACCOUNT, USER
from tests.support.messengers import call
from tests.unit.providers.cloud.test_wire_bodies import PYWA, WAPPA, recorded

GROUP = "Y2FwaV9ncm91cDoxMjM0NTY3ODkwWkQ"
MEDIUM = "1003383421387256"


def command(kind: CommandKind, body: dict[str, Any], recipient: str = USER) -> Command:
    made = call("send_text", {"text": "x", "recipient": recipient})[1][0]
    return made.model_copy(update={"kind": kind, "body": body})


def account(url: str) -> Account:
    return Account(provider="cloud", id=ACCOUNT, token=SecretStr("sandbox-token"), base_url=url)


def test_an_address_form_is_as_in_the_reference() -> None:
    """A shop in India could not ask where to deliver. Source: Cloud API, address messages."""
    values = {"name": "Ana", "phone_number": "+910000000000"}
    saved = [{"id": "1", "value": {"city": "Pune"}}]
    arguments = {"body": "Where?", "recipient": USER, "country": "IN", "values": values, "saved_addresses": saved}
    _, (sent,) = call("send_address_request", arguments)
    assert build_body(sent)["interactive"] == {
        "type": "address_message",
        "body": {"text": "Where?"},
        "action": {
            "name": "address_message",
            "parameters": {"country": "IN", "values": values, "saved_addresses": saved},
        },
    }


@pytest.mark.parametrize("kind", sorted(CommandKind))
def test_a_body_without_what_it_needs_is_no_message(kind: CommandKind) -> None:
    """A foreign producer's command would be posted half empty, or end in a bare KeyError."""
    expected = InvalidRecord if kind in KINDS else UnsupportedCommand
    if kind is CommandKind.CALL_PERMISSION or kind in _TEXT_ONLY:
        assert build_body(command(kind, {}))["interactive"]["action"]
        return
    with pytest.raises(expected, match=kind.value):
        build_body(command(kind, {}))


_TEXT_ONLY = {CommandKind.LOCATION_REQUEST, CommandKind.CONTACT_REQUEST, CommandKind.CALL, CommandKind.CATALOG}
"""Whose body has nothing but a text, which Meta asks for itself."""


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (CommandKind.IMAGE, {"media": {"data": "aGk="}}),
        (CommandKind.IMAGE, {"media": {"id": "1"}, "view_once": True}),
    ],
)
def test_what_meta_has_no_way_for_is_unsupported(kind: CommandKind, body: dict[str, Any]) -> None:
    """A picture to be seen once would stay with the user for ever."""
    with pytest.raises(UnsupportedCommand):
        build_body(command(kind, body))


def test_meta_does_not_quote_what_was_said() -> None:
    """A caption, a name or a button's title would stand in every outcome and log of an error."""
    body = {"media": {"link": "https://secret.example/a"}, "caption": "my PIN is 4821"}
    error = {"error": {"code": 100, "message": "bad image: my PIN is 4821 at https://secret.example/a"}}
    sent = command(CommandKind.IMAGE, body)
    answer = interpret(400, {}, orjson.dumps(error), sent, account("http://127.0.0.1"))
    assert answer.error_message == "bad image: [redacted] at [redacted]"


def test_every_kind_arrives_at_the_provider() -> None:
    """A body that the provider refuses would be found in production, kind by kind."""
    entries = [each for each in recorded(WAPPA) + recorded(PYWA) if each["method"] != "mark_as_read"]
    commands = [call(each["method"], each["arguments"], language="es")[1][0] for each in entries]
    commands.append(call("send_address_request", {"body": "Where?", "recipient": USER})[1][0])
    invite = call("send_group_invite", {"group_id": GROUP, "recipient": USER, "body": "Join us"})[1][0]
    reads = [command(CommandKind.READ, {"message_id": "wamid.T1", "typing": True})]

    async def run() -> tuple[list[SendAttempt], list[dict[str, Any]]]:
        async with served(SandboxConfig(port=0)) as url, ClientSession() as session:
            medium = await _upload(session, url)
            made = [_with_medium(each, medium) for each in [*commands, invite, *reads]]
            deliveries = [await send_command(each, account(url), session) for each in made]
            async with session.get(f"{url}/_sandbox/sent") as response:
                return deliveries, await response.json()

    deliveries, sent = asyncio.run(run())
    assert [each.error_message for each in deliveries] == [None] * len(deliveries)
    assert {each.status for each in deliveries} == {AttemptStatus.ACCEPTED}
    assert len(sent) == len(commands) + 1
    assert sent[-1]["body"]["body"].startswith("Join us\nhttps://chat.whatsapp.com/")
    assert {each.kind for each in [*commands, invite, *reads]} == KINDS


async def _upload(session: ClientSession, url: str) -> str:
    made = await upload_media(Upload(b"\xff\xd8\xff", "image/jpeg", "a.jpg"), account(url), session)
    return made.medium["id"]


def _with_medium(sent: Command, medium: str) -> Command:
    """The command with an id that the provider gave, in the place of the recorded one."""
    body = orjson.loads(orjson.dumps(sent.body).replace(MEDIUM.encode(), medium.encode()))
    return sent.model_copy(update={"body": body})


def test_an_invitation_whose_link_can_not_be_had_is_tried_again_or_refused() -> None:
    """A user would get an invitation without its link, or the command would end in an exception."""
    invite = call("send_group_invite", {"group_id": GROUP, "recipient": USER})[1][0]

    async def run() -> tuple[SendAttempt, SendAttempt]:
        async with served(SandboxConfig(port=0)) as url, ClientSession() as session:
            wrong = replace(account(url), token=SecretStr("no"))
            away = await send_command(invite, account("http://127.0.0.1:1"), session)
            return away, await send_command(invite, wrong, session)

    away, refused = asyncio.run(run())
    assert away.status is AttemptStatus.RETRYABLE
    assert (refused.status, refused.error_code) == (AttemptStatus.PERMANENT, 190)
