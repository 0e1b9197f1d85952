"""Sending through Wasender, against a server over real HTTP: every call, and every answer."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from pipeline.backoff import next_wait
from pipeline.errors import InvalidRecord
from pipeline.messenger import retry_policy, slows_account
from pipeline.messenger.limits.account import AccountLimiter
from pipeline.messenger.spending import limits_of
from pipeline.providers import PROVIDERS
from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.topics.commands import Command, CommandKind
from tests.support import gateway_calls as calls
from tests.support.gateway_calls import LINK, TEXT, TOKEN, one, says

ANA = "+15550001111"
TAKEN = {"success": True, "data": {"msgId": 100000, "jid": ANA, "status": "in_progress"}}


def command(kind: CommandKind = CommandKind.TEXT, **changes: Any) -> Command:
    return calls.command("wasender", kind, **changes)


def requests(*commands: Command, answers: dict[str, Any] | None = None) -> list[tuple[str, str, Any]]:
    """What goes over the wire: method, path and body; `answers` by path, everything else is taken."""
    seen: list[tuple[str, str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        raw = await request.read()
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        assert TOKEN not in str(request.url)
        seen.append((request.method, request.raw_path, orjson.loads(raw) if raw else None))
        return web.json_response((answers or {}).get(request.raw_path, TAKEN))

    calls.delivered("wasender", answer, *commands)
    return seen


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (command(), {"text": TEXT}),
        (
            command(body={"text": "@1", "mentions": ["15550002222"]}),
            {"text": "@1", "mentions": ["15550002222@s.whatsapp.net"]},
        ),
        (command(reply_to="100007"), {"text": TEXT, "replyTo": 100007}),
        (command(reply_to="3EB0AAAA11112222"), {"text": TEXT}),
        (command(CommandKind.IMAGE), {"imageUrl": LINK["link"], "text": "Receipt"}),
        (
            command(CommandKind.VIDEO, body={"media": LINK, "view_once": True}),
            {"videoUrl": LINK["link"], "viewOnce": True},
        ),
        (command(CommandKind.AUDIO), {"audioUrl": "https://files.example/a.mp3"}),
        (command(CommandKind.DOCUMENT), {"documentUrl": "https://files.example/a.pdf", "fileName": "bill.pdf"}),
        (command(CommandKind.STICKER), {"stickerUrl": "https://files.example/a.webp"}),
        (
            command(CommandKind.LOCATION),
            {"location": {"latitude": 38.9, "longitude": -77.1, "name": "HQ", "address": "123 Main St"}},
        ),
        (command(CommandKind.CONTACTS), {"contact": {"name": "Jane", "phone": "+91 111"}}),
        (
            command(CommandKind.POLL),
            {"poll": {"question": "When?", "options": ["Now", "Later"], "multiSelect": True}},
        ),
    ],
    ids=lambda each: each.kind if isinstance(each, Command) else "",
)
def test_sends_go_over_the_wire_as_documented(sent: Command, body: dict[str, Any]) -> None:
    """Wasender would refuse it, or send something else."""
    assert requests(sent) == [("POST", "/api/send-message", {"to": ANA, **body})]


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        (
            command(CommandKind.EDIT, body={"message_id": "100000", "text": "New"}),
            [("PUT", "/api/messages/100000", {"text": "New"})],
        ),
        (command(CommandKind.REVOKE, body={"message_id": "100000"}), [("DELETE", "/api/messages/100000", None)]),
        (
            command(CommandKind.READ, body={"message_id": "3EB0", "typing": True}),
            [
                (
                    "POST",
                    "/api/messages/read",
                    {"key": {"id": "3EB0", "remoteJid": "15550001111@s.whatsapp.net", "fromMe": False}},
                ),
                ("POST", "/api/send-presence-update", {"jid": "15550001111@s.whatsapp.net", "type": "composing"}),
            ],
        ),
        (
            command(CommandKind.TYPING, body={"on": False}, recipient="777@lid"),
            [("POST", "/api/send-presence-update", {"jid": "777@lid", "type": "paused"})],
        ),
    ],
)
def test_what_is_no_send_has_its_own_endpoint(sent: Command, seen: list[Any]) -> None:
    """Edits and deletions would be sent as messages, read marks would be lost."""
    assert requests(sent) == seen


@pytest.mark.parametrize(
    ("recipient", "to"),
    [
        ("15550001111", ANA),
        ("+1 (555) 000-1111", ANA),
        ("15550001111@s.whatsapp.net", ANA),
        ("15550001111:7@c.us", ANA),
        ("120363000000000001@g.us", "120363000000000001@g.us"),
        ("120363111111111111@newsletter", "120363111111111111@newsletter"),
    ],
)
def test_people_groups_and_channels_are_addressed(recipient: str, to: str) -> None:
    """An answer would go nowhere, or to somebody else."""
    ((_, _, body),) = requests(command(recipient=recipient))
    assert body["to"] == to


def test_a_linked_id_is_looked_up_before_the_send() -> None:
    """Whoever hides their number could not be answered: Wasender sends to no linked id."""
    path = "/api/pn-from-lid/777000111@lid"
    found = {path: {"success": True, "data": {"pn": "15550001111@s.whatsapp.net"}}}
    seen = requests(command(recipient="777000111@lid"), answers=found)
    assert [(method, where) for method, where, _ in seen] == [("GET", path), ("POST", "/api/send-message")]
    assert seen[1][2]["to"] == ANA
    untold = one(says(200, {"success": True, "data": {"pn": None}}), command(recipient="777000111@lid"))
    assert untold.status is AttemptStatus.PERMANENT
    assert one(says(429, {"retry_after": 9}), command(recipient="7@lid")).delay == 10
    assert one(says(500, {}), command(recipient="7@lid")).status is AttemptStatus.RETRYABLE


def test_data_is_uploaded_before_the_send() -> None:
    """A file that a handler has at hand could not be sent."""
    sent = command(CommandKind.IMAGE, body={"media": {"data": "SGk=", "mime_type": "image/png"}, "caption": "c"})
    seen = requests(sent, answers={"/api/upload": {"success": True, "publicUrl": "https://w.example/u"}})
    assert seen == [
        ("POST", "/api/upload", {"base64": "data:image/png;base64,SGk="}),
        ("POST", "/api/send-message", {"to": ANA, "imageUrl": "https://w.example/u", "text": "c"}),
    ]
    refused = one(says(200, {"success": True}), sent)
    assert (refused.status, "no link" in (refused.error_message or "")) == (AttemptStatus.PERMANENT, True)
    assert one(says(500, {}), sent).status is AttemptStatus.RETRYABLE


@pytest.mark.parametrize(
    "sent",
    [
        command(CommandKind.IMAGE, body={"media": {"id": "1234"}}),
        command(CommandKind.EDIT, body={"message_id": "3EB0AAAA", "text": "New"}),
        command(CommandKind.REVOKE, body={"message_id": "cmd-0123"}),
        command(CommandKind.POLL, body={"question": "?", "options": ["one"], "multiple": False}),
        command(CommandKind.POLL, body={"question": "?", "options": ["o"] * 13, "multiple": False}),
        command(CommandKind.CONTACTS, body={"contacts": calls.BODIES[CommandKind.CONTACTS]["contacts"] * 2}),
    ],
    ids=lambda each: each.kind,
)
def test_what_wasender_is_known_not_to_take_is_refused_without_a_call(sent: Command) -> None:
    """It would cost a message of the plan to hear it from Wasender."""

    async def answer(_: web.Request) -> web.Response:
        raise AssertionError("nobody is to be asked")

    found = one(answer, sent)
    assert (found.status, bool(found.error_message)) == (AttemptStatus.PERMANENT, True)


@pytest.mark.parametrize(
    "sent",
    [
        command(body={}),
        command(body={"text": 5}),
        command(CommandKind.IMAGE, body={}),
        command(CommandKind.LOCATION, body={"latitude": "north"}),
        command(CommandKind.CONTACTS, body={"contacts": []}),
        command(CommandKind.EDIT, body={"text": "x"}),
        command(CommandKind.READ, body={}),
    ],
    ids=lambda each: each.kind,
)
def test_a_command_without_what_it_needs_is_no_command(sent: Command) -> None:
    """A slip of a handler would be sent on, and fail at the provider."""
    with pytest.raises(InvalidRecord):
        requests(sent)


def test_the_number_of_a_message_is_given_back() -> None:
    """Nothing that was sent could be edited, deleted or quoted."""
    assert one(says(200, TAKEN), command()) == SendAttempt(AttemptStatus.ACCEPTED, message_id="100000")
    read = one(says(200, {"success": True}), command(CommandKind.READ))
    assert read == SendAttempt(AttemptStatus.ACCEPTED)


@pytest.mark.parametrize("kind", [CommandKind.READ, CommandKind.TYPING, CommandKind.EDIT, CommandKind.REVOKE])
def test_what_may_be_done_twice_is_tried_again(kind: CommandKind) -> None:
    """A read mark would stay in doubt until the window is over, and hold up its conversation."""
    body = calls.BODIES[kind] | {"message_id": "100000"}
    assert one(says(502, b"<html>"), command(kind, body=body)).status is AttemptStatus.RETRYABLE


@pytest.mark.parametrize(
    ("headers", "body", "wait"),
    [
        ({}, {"retry_after": 60}, 61),
        ({"Retry-After": "30"}, {"retry_after": 60}, 61),
        ({"Retry-After": "30", "X-RateLimit-Reset": "10"}, {}, 31),
        ({"X-RateLimit-Reset": "10"}, {}, 11),
        ({"X-RateLimit-Reset": "soon"}, {"retry_after": "never"}, 1),
        ({"Retry-After": "nan"}, {"retry_after": -5}, 1),
        ({}, {"retry_after": 10**9}, 86_401),
    ],
)
def test_over_the_limit_waits_as_long_as_it_says(headers: dict[str, str], body: dict[str, Any], wait: int) -> None:
    """A session would be knocking on a closed door, and be banned for it."""
    found = one(says(429, body, headers), command())
    assert (found.status, found.error_code) == (AttemptStatus.RETRYABLE, 429)
    assert wait - 2 <= found.delay <= wait + 1


def test_a_limit_may_end_at_a_time_of_day() -> None:
    """A session would wait for fifty years, or not at all."""
    before, reset = time.time(), int(time.time()) + 40
    found = one(says(429, {}, {"X-RateLimit-Reset": str(reset)}), command())
    assert reset - time.time() <= found.delay <= reset - before + 2


def test_a_limit_stops_the_whole_session() -> None:
    """The other recipients' messages would each run into the same limit."""
    assert slows_account(PROVIDERS["wasender"], 429)
    assert not slows_account(PROVIDERS["wasender"], 503)
    policy = retry_policy(PROVIDERS["wasender"], 429)
    assert next_wait(policy, 1_000, 61.0, 0.0) == 61.0
    session = calls.account("wasender", limits={"messages_per_second": 4})
    limiter = AccountLimiter("wasender:a", limits_of(session), dict[str, bytes]().get, 0.0)
    limiter.throttled(0.0, 61.0)
    assert limiter.wait(0.0) >= 61.0


def test_errors_are_in_wasenders_words() -> None:
    """Nobody could tell from an outcome what to do."""
    answer = {"success": False, "message": "Validation failed", "errors": {"to": ["The to field is required."]}}
    assert one(says(422, answer), command()).error_message == "Validation failed: The to field is required."
    assert one(says(404, b""), command()).error_message == "HTTP 404"


@pytest.mark.parametrize("base", ["", "/", "/api", "/api/"])
def test_the_base_url_may_be_the_hosts_or_the_apis(base: str) -> None:
    """Half of the tenants files would be answered 404."""
    provider = PROVIDERS["wasender"]
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response(TAKEN)

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        async with TestServer(app, host="127.0.0.1") as server, ClientSession() as session:
            to = calls.account("wasender", f"http://127.0.0.1:{server.port}{base}")
            await provider.deliver(command(), to, session)

    asyncio.run(run())
    assert seen == ["/api/send-message"]
