"""Sending through WAHA: the call of every kind of command, and every answer, over real HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, web

from pipeline.errors import InvalidRecord, UnsupportedCommand
from pipeline.messenger import retry_policy, slows_account
from pipeline.providers import PROVIDERS
from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.providers.gateway import deliver as module
from pipeline.providers.gateway.calls import REPEATABLE
from pipeline.providers.waha.bodies import BUILDERS
from pipeline.sandbox.waha import WahaApi
from pipeline.topics.commands import CommandKind
from tests.support.gateway_calls import (
    ANA,
    BODIES,
    TEXT,
    TOKEN,
    account,
    command,
    delivered,
    in_sandbox,
    one,
    requests,
    says,
)
from tests.support.ports import free_ports

SAMPLE = account("waha", id="initech-session", token="sandbox-waha-key")
MESSAGE = "/api/INSTANCE_ID/chats/15550001111@c.us/messages"


@pytest.mark.parametrize(
    ("kind", "method", "path", "content"),
    [
        (CommandKind.TEXT, "POST", "/api/sendText", {"text": TEXT, "linkPreview": False}),
        (CommandKind.READ, "POST", "/api/sendSeen", {"messageIds": [f"false_{ANA}_A"]}),
        (CommandKind.TYPING, "POST", "/api/startTyping", {}),
        (CommandKind.IMAGE, "POST", "/api/sendImage", {"caption": "Receipt"}),
        (CommandKind.VIDEO, "POST", "/api/sendVideo", {"asNote": False}),
        (CommandKind.AUDIO, "POST", "/api/sendVoice", {"convert": True}),
        (CommandKind.LOCATION, "POST", "/api/sendLocation", {"latitude": 38.9, "title": "HQ, 123 Main St"}),
        (CommandKind.CONTACTS, "POST", "/api/sendContactVcard", {}),
        (CommandKind.BUTTONS, "POST", "/api/sendButtons", {"buttons": [{"type": "reply", "text": "Yes", "id": "y"}]}),
        (CommandKind.CTA, "POST", "/api/sendButtons", {"body": "Look"}),
        (CommandKind.POLL, "POST", "/api/sendPoll", {}),
        (CommandKind.FORWARD, "POST", "/api/forwardMessage", {"messageId": f"false_{ANA}_A"}),
    ],
)
def test_what_goes_over_the_wire(kind: CommandKind, method: str, path: str, content: dict[str, Any]) -> None:
    """If path, key or body differed from WAHA's documents, nothing would be sent at all."""
    (seen,) = requests(command("waha", kind))
    assert (seen.method, seen.path, seen.api_key) == (method, path, TOKEN)
    assert seen.body.items() >= {"session": "INSTANCE_ID", "chatId": ANA, **content}.items()


@pytest.mark.parametrize(
    ("kind", "changes", "method", "path", "body"),
    [
        (CommandKind.EDIT, {}, "PUT", f"{MESSAGE}/true_{ANA}_A", {"text": "better"}),
        (CommandKind.REVOKE, {}, "DELETE", f"{MESSAGE}/true_{ANA}_A", {}),
        (CommandKind.PIN, {}, "POST", f"{MESSAGE}/false_{ANA}_A/pin", {"duration": 86400}),
        (CommandKind.PIN, {"on": False}, "POST", f"{MESSAGE}/false_{ANA}_A/unpin", {}),
    ],
)
def test_a_message_has_a_path(
    kind: CommandKind, changes: dict[str, Any], method: str, path: str, body: dict[str, Any]
) -> None:
    """Another message than the one that was meant would be edited or deleted."""
    (seen,) = requests(command("waha", kind, body=BODIES[kind] | changes))
    assert (seen.method, seen.path, seen.body) == (method, path, body)


def test_what_is_in_the_body() -> None:
    """Files, menus, cards and polls would be refused, or be empty."""
    image, contacts, poll, menu, react = requests(
        command("waha", CommandKind.IMAGE, reply_to="false_x@c.us_Q"),
        *(
            command("waha", kind)
            for kind in (CommandKind.CONTACTS, CommandKind.POLL, CommandKind.LIST, CommandKind.REACTION)
        ),
    )
    assert image.body["file"] == {"url": "https://files.example/a.jpg", "mimetype": "image/jpeg", "filename": "a.jpg"}
    assert image.body["reply_to"] == "false_x@c.us_Q"
    assert contacts.body["contacts"] == [{"fullName": "Jane", "phoneNumber": "+91 111", "whatsappId": "91111"}]
    assert poll.body["poll"] == {"name": "When?", "options": ["Now", "Later"], "multipleAnswers": True}
    row = {"rowId": "1", "title": "One", "description": "first"}
    assert menu.body["message"] == {
        "title": "Menu",
        "description": "Choose",
        "button": "Open",
        "footer": "Thanks",
        "sections": [{"title": "Main", "rows": [row]}],
    }
    assert react.body == {"session": "INSTANCE_ID", "messageId": f"false_{ANA}_A", "reaction": "👍"}


def test_a_read_mark_that_shows_typing_is_two_calls() -> None:
    """The user would not see that an answer is being written."""
    both = command("waha", CommandKind.READ, body={"message_id": f"false_{ANA}_A", "typing": True})
    assert [seen.path for seen in requests(both)] == ["/api/sendSeen", "/api/startTyping"]
    in_group = command("waha", CommandKind.READ, body={"message_id": "false_1@g.us_A_2@c.us"}, recipient="1@g.us")
    assert requests(in_group)[0].body["participant"] == "2@c.us"


@pytest.mark.parametrize(
    ("recipient", "chat"),
    [("+1 555 000 1111", ANA), ("15550001111@s.whatsapp.net", ANA), ("777@lid", "777@lid"), ("1203@g.us", "1203@g.us")],
)
def test_every_recipient_is_a_chat(recipient: str, chat: str) -> None:
    """Groups and people without a number could not be written to."""
    assert requests(command("waha", recipient=recipient))[0].body["chatId"] == chat


def _refused(kind: CommandKind, body: dict[str, Any], provider: str = "waha") -> None:
    async def run() -> None:
        async with ClientSession() as session:
            await PROVIDERS[provider].deliver(command(provider, kind, body=body), account(provider), session)

    asyncio.run(run())


@pytest.mark.parametrize("provider", ["waha", "wawp"])
@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (CommandKind.TEMPLATE, {}, "can't do template"),
        (CommandKind.STICKER, {}, "can't do sticker"),
        (CommandKind.IMAGE, {"media": {"id": "1"}}, "no media ids"),
        (CommandKind.IMAGE, {"media": {"link": "x"}, "view_once": True}, "seen once"),
        (CommandKind.LIST, BODIES[CommandKind.LIST] | {"header": {"type": "image"}}, "media above a list"),
    ],
)
def test_what_can_not_be_done_is_said(provider: str, kind: CommandKind, body: dict[str, Any], words: str) -> None:
    """The user would get something else than was asked for, or the command be tried for ever."""
    with pytest.raises(UnsupportedCommand, match=words):
        _refused(kind, body, provider)


@pytest.mark.parametrize("provider", ["waha", "wawp"])
@pytest.mark.parametrize("kind", sorted(BUILDERS.keys() - {CommandKind.TYPING}))
def test_a_command_without_its_content_is_refused_before_it_is_sent(provider: str, kind: CommandKind) -> None:
    """A malformed command of a foreign producer would block its account."""
    with pytest.raises((InvalidRecord, UnsupportedCommand)):
        _refused(kind, {}, provider)


NOT_UP = {"error": "Session status is not as expected.", "status": "STARTING", "expected": ["WORKING"]}


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (401, {"message": "Unauthorized", "statusCode": 401}, AttemptStatus.PERMANENT, 401),
        (400, {"message": ["chatId should not be empty"], "statusCode": 400}, AttemptStatus.PERMANENT, 400),
        (404, {"message": "Session not found", "statusCode": 404}, AttemptStatus.PERMANENT, 404),
        (422, NOT_UP, AttemptStatus.RETRYABLE, 422),
        (
            422,
            {"message": "The method is not implemented by the engine.", "statusCode": 422},
            AttemptStatus.PERMANENT,
            400,
        ),
        (429, {"message": "Too Many Requests", "statusCode": 429}, AttemptStatus.RETRYABLE, 429),
        (500, {"statusCode": 500, "message": "Internal server error"}, AttemptStatus.RETRYABLE, 500),
        (500, b"<html>", AttemptStatus.UNKNOWN, None),
        (502, b"", AttemptStatus.UNKNOWN, None),
        (504, b"", AttemptStatus.UNKNOWN, None),
        (503, b"", AttemptStatus.RETRYABLE, 503),
        (301, b"", AttemptStatus.PERMANENT, 301),
        (201, {"id": "true_x@c.us_OUT"}, AttemptStatus.ACCEPTED, None),
        (201, {"id": {"_serialized": "true_x@c.us_OUT"}}, AttemptStatus.ACCEPTED, None),
        (201, {"_data": {"id": {"_serialized": "true_x@c.us_OUT"}}}, AttemptStatus.ACCEPTED, None),
        (201, {"key": {"id": "3EB0"}}, AttemptStatus.ACCEPTED, None),
        (201, {}, AttemptStatus.UNKNOWN, None),
        (200, b"not json", AttemptStatus.UNKNOWN, None),
    ],
)
def test_what_an_answer_means(status: int, body: object, expected: AttemptStatus, code: int | None) -> None:
    """A message would be sent twice, or never, or a stopped session's messages be given up."""
    delivery = one(says(status, body), command("waha"))
    assert (delivery.status, delivery.error_code) == (expected, code)
    assert (delivery.message_id is not None) == (expected is AttemptStatus.ACCEPTED)


@pytest.mark.parametrize("kind", sorted(REPEATABLE))
def test_what_makes_no_message_needs_no_id_and_may_be_done_again(kind: CommandKind) -> None:
    """Read marks and reactions would wait for statuses that never come."""
    assert one(says(200, b""), command("waha", kind)) == SendAttempt(AttemptStatus.ACCEPTED)
    assert one(says(502, b""), command("waha", kind)).status is AttemptStatus.RETRYABLE


def test_a_limit_holds_the_whole_account() -> None:
    """Each message of a throttled session would run into its limit by itself."""
    for provider in ("waha", "wawp"):
        assert slows_account(PROVIDERS[provider], 429)
        assert not slows_account(PROVIDERS[provider], 500)
        assert retry_policy(PROVIDERS[provider], 429).max_attempts is None
        assert retry_policy(PROVIDERS[provider], 422).max_attempts is None
        assert retry_policy(PROVIDERS[provider], 500).max_attempts is not None
    waiting = one(says(429, {"message": "x"}, {"Retry-After": "120"}), command("waha"))
    assert waiting.delay == 120


def test_errors_quote_neither_token_nor_text() -> None:
    """A secret, or what a customer was written, would stand in logs and outcomes."""
    delivery = one(says(400, {"message": f"{TOKEN} may not say {TEXT}"}), command("waha"))
    assert delivery.error_message == "[redacted] may not say [redacted]"


def test_nobody_there_and_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may have been sent would be sent again, or what was not would wait for a status."""
    monkeypatch.setattr(module, "TIMEOUT", ClientTimeout(total=None, connect=5, sock_read=0.2))

    async def silent(_: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response()

    assert one(silent, command("waha")).status is AttemptStatus.UNKNOWN

    async def run() -> SendAttempt:
        async with ClientSession() as session:
            nowhere = account("waha", f"http://127.0.0.1:{free_ports()}")
            return await PROVIDERS["waha"].deliver(command("waha"), nowhere, session)

    assert asyncio.run(run()).status is AttemptStatus.RETRYABLE


def test_the_sandbox_takes_every_kind() -> None:
    """What is tested against the sandbox would not be what goes over the wire."""
    sent = [command("waha", kind, account=SAMPLE.id) for kind in BUILDERS]
    done, entries = in_sandbox("waha", SAMPLE, None, *sent)
    assert [delivery.status for delivery in done] == [AttemptStatus.ACCEPTED] * len(BUILDERS)
    assert len(WahaApi.endpoints) >= len(BUILDERS)
    assert {entry["message_id"] for entry in entries} >= {each.message_id for each in done if each.message_id}
    assert "sandbox-waha-key" not in str(entries)
    (text,) = (entry for entry in entries if entry["type"] == "text")
    assert (text["to"], text["body"]["text"], text["account"]) == ("15550001111", TEXT, "initech-session")


def test_the_sandbox_refuses_as_waha_does() -> None:
    """Errors of the real thing would first be met in production."""
    wrong = replace(SAMPLE, token=account("waha", token="guessed").token)
    assert [one.error_code for one in in_sandbox("waha", wrong, None, command("waha"))[0]] == [401]
    elsewhere = account("waha", id="another", token="sandbox-waha-key")
    assert in_sandbox("waha", elsewhere, None, command("waha"))[0][0].status is AttemptStatus.PERMANENT
    faults = {"errors": [{"code": 422}, {"code": 500}], "limits": {"messages_per_second": 0.001, "burst": 1}}
    done, _ = in_sandbox("waha", SAMPLE, faults, *(command("waha", command_id=f"cmd-{n}") for n in range(3)))
    assert [each.error_code for each in done] == [422, 429, 429]


def test_several_commands_over_one_session() -> None:
    """A command's answer would be another one's."""
    texts = [command("waha", body={"text": f"text {n}"}) for n in range(3)]
    assert [seen.body["text"] for seen in requests(*texts)] == ["text 0", "text 1", "text 2"]
    assert len(delivered("waha", says(201, {"id": "x"}), *texts)) == 3
