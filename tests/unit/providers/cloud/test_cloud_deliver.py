"""Sending through the Cloud API, against a server over real HTTP: every answer, and every way of getting none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib import import_module
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web
from pydantic import SecretStr

from pipeline.errors import InvalidRecord, UnsupportedCommand
from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.providers.cloud.bodies import build_body
from pipeline.providers.cloud.deliver import send_command
from pipeline.tenants import Account
from pipeline.topics.callback_data import decode_callback_data
from pipeline.topics.commands import Command, CommandKind
from tests.support.ports import free_ports
from tests.support.waiting import HANG

module = import_module("pipeline.providers.cloud.deliver")
TOKEN = "a-very-secret-token"
TEXT = "my PIN is 4821"
NOW = datetime(2026, 1, 15, tzinfo=UTC)


def command(kind: CommandKind = CommandKind.TEXT, **changes: Any) -> Command:
    bodies = {
        CommandKind.TEXT: {"text": TEXT, "preview_url": False},
        CommandKind.READ: {"message_id": "wamid.1", "typing": False},
    }
    fields = {
        "command_id": "cmd-1",
        "tenant_id": "acme",
        "provider": "cloud",
        "account": "106",
        "recipient": "15550001111",
        "kind": kind,
        "body": bodies[kind],
        "created_at": NOW,
    }
    return Command.model_validate({**fields, **changes})


def account(base_url: str | None) -> Account:
    return Account(provider="cloud", id="106", token=SecretStr(TOKEN), base_url=base_url)


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def delivered(answer: Answer, *commands: Command) -> list[SendAttempt]:
    """The deliveries of commands (one text by default) through a server that gives `answer`."""

    async def run() -> list[SendAttempt]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        try:
            async with ClientSession() as session:
                to = account(f"http://{host}:{port}/")
                return [await send_command(each, to, session) for each in commands or (command(),)]
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def says(status: int, body: object = None, headers: dict[str, str] | None = None) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return web.Response(status=status, body=content, headers=headers, content_type="application/json")

    return answer


def error(code: object, message: str = "(#1) no", **more: object) -> dict[str, Any]:
    return {"error": {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A", **more}}


def one(answer: Answer, sent: Command | None = None) -> SendAttempt:
    (delivery,) = delivered(answer, sent or command())
    return delivery


def test_what_goes_over_the_wire() -> None:
    """If path, token or body differed from Meta's documents, nothing would be sent at all."""
    seen: list[tuple[str, str, str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        headers = request.headers
        seen.append((request.method, request.path, headers["Authorization"], orjson.loads(await request.read())))
        assert headers["Content-Type"] == "application/json"
        return web.json_response({"messages": [{"id": "wamid.OUT"}]})

    before = int(time.time())
    accepted = one(answer, command(reply_to="wamid.IN", campaign="spring-sale", tags=("vip", "b")))
    assert accepted == SendAttempt(AttemptStatus.ACCEPTED, message_id="wamid.OUT")
    attached = decode_callback_data(seen[0][3].pop("biz_opaque_callback_data"))
    assert attached is not None
    command_id, (sent_at, *cohort) = attached
    assert (command_id, cohort) == ("cmd-1", ["spring-sale", ("vip", "b")])
    assert sent_at is not None
    assert before <= sent_at.timestamp() <= time.time(), "reports are by the time of the call, not of the command"
    assert seen == [
        (
            "POST",
            "/v23.0/106/messages",
            f"Bearer {TOKEN}",
            {
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "to": "15550001111",
                "type": "text",
                "text": {"body": TEXT, "preview_url": False},
                "context": {"message_id": "wamid.IN"},
            },
        )
    ]


@pytest.mark.parametrize(
    ("recipient", "field"),
    [
        ("15550001111", "to"),
        ("+15550001111", "to"),
        ("US.4815162342108", "recipient"),
        ("US.ENT.90817x", "recipient"),
        ("us.1", "to"),
        ("Y2FwaV9ncm91cDoxMjM0", "to"),
    ],
)
def test_a_business_scoped_id_has_a_field_of_its_own(recipient: str, field: str) -> None:
    """If a business-scoped id went into `to`, users without a phone number could not be answered."""
    body = build_body(command(recipient=recipient))
    assert body[field] == recipient
    assert {"to", "recipient"} & body.keys() == {field}


def test_marking_as_read() -> None:
    """If a read mark carried a recipient or no typing indicator, Meta would refuse it or show nothing."""
    plain = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"}
    assert build_body(command(CommandKind.READ)) == plain
    typing = command(CommandKind.READ, body={"message_id": "wamid.1", "typing": True})
    assert build_body(typing) == plain | {"typing_indicator": {"type": "text"}}
    assert one(says(200, {"success": True}), typing) == SendAttempt(AttemptStatus.ACCEPTED)


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": 5}])
def test_a_command_without_its_content_is_refused_before_it_is_sent(body: dict[str, Any]) -> None:
    """If a malformed command of a foreign producer were retried, it would block its conversation."""
    with pytest.raises(InvalidRecord, match="a text command without text"):
        build_body(command(body=body))


def test_a_kind_without_endpoint_is_unsupported() -> None:
    """If a kind of tomorrow were sent as something else, the user would get nonsense."""
    strange = command().model_copy(update={"kind": "hologram"})
    with pytest.raises(UnsupportedCommand, match="hologram"):
        build_body(strange)


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (400, error(130429), AttemptStatus.RETRYABLE, 130429),
        (400, error(131056), AttemptStatus.RETRYABLE, 131056),
        (500, error(131000), AttemptStatus.RETRYABLE, 131000),
        (500, error(1), AttemptStatus.RETRYABLE, 1),
        (503, error(2), AttemptStatus.RETRYABLE, 2),
        (400, error(131047), AttemptStatus.PERMANENT, 131047),
        (401, error(190), AttemptStatus.PERMANENT, 190),
        (400, error(100), AttemptStatus.PERMANENT, 100),
        (200, error(100), AttemptStatus.PERMANENT, 100),
        (500, error(987654), AttemptStatus.PERMANENT, 987654),
        (500, error(987654, is_transient=True), AttemptStatus.RETRYABLE, 987654),
        (429, error(80008), AttemptStatus.RETRYABLE, 80008),
        (429, error(131049), AttemptStatus.PERMANENT, 131049),
        (500, error(131047, is_transient=True), AttemptStatus.PERMANENT, 131047),
        (429, None, AttemptStatus.RETRYABLE, 429),
        (503, b"<html>busy</html>", AttemptStatus.RETRYABLE, 503),
        (408, b"", AttemptStatus.RETRYABLE, 408),
        (500, None, AttemptStatus.UNKNOWN, None),
        (502, b"<html>bad gateway</html>", AttemptStatus.UNKNOWN, None),
        (504, b"", AttemptStatus.UNKNOWN, None),
        (500, error("text"), AttemptStatus.UNKNOWN, None),
        (200, b"not json", AttemptStatus.UNKNOWN, None),
        (200, {"messages": []}, AttemptStatus.UNKNOWN, None),
        (200, {"messages": [{"id": 5}]}, AttemptStatus.UNKNOWN, None),
        (200, [1], AttemptStatus.UNKNOWN, None),
        (404, b"<html>", AttemptStatus.PERMANENT, 404),
        (302, b"", AttemptStatus.PERMANENT, 302),
    ],
)
def test_what_answers_mean(status: int, body: object, expected: AttemptStatus, code: int | None) -> None:
    """If an answer were misread, a message would be sent twice, or given up though it could have gone."""
    delivery = one(says(status, body, {"Location": "/elsewhere"} if status == 302 else None))
    assert (delivery.status, delivery.error_code) == (expected, code)
    assert delivery.message_id is None
    assert delivery.error_message
    assert (delivery.delay > 0) == (expected is AttemptStatus.RETRYABLE)


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        (timedelta(seconds=120), 100, 121),
        (timedelta(seconds=-120), 1, 1),
        ("soon", 1, 1),
        ("999999999", 3600, 3600),
        ("-5", 1, 1),
        ("²", 1, 1),
    ],
)
def test_retry_after_is_honoured(header: str | timedelta, low: float, high: float) -> None:
    """If `Retry-After` were ignored or trusted blindly, the account would be throttled on, or wait for a year."""
    if isinstance(header, timedelta):
        header = format_datetime(datetime.now(UTC) + header, usegmt=True)
    assert low <= one(says(429, None, {"Retry-After": header})).delay <= high


def test_retry_after_beside_a_code() -> None:
    """If the header lost against our own first wait, the account would come back too early."""
    assert one(says(400, error(130429), {"Retry-After": "30"})).delay == 30
    assert one(says(400, error(131057), {"Retry-After": "3"})).delay == 60


def test_errors_hold_no_secrets() -> None:
    """If Meta's words were passed on as they are, a malformed token would be in every outcome and log."""
    words = f"Malformed access token {TOKEN}"
    delivery = one(says(401, error(190, words, error_data={"details": f"body was: {TEXT}" + "x" * 1000})))
    assert delivery.error_message is not None
    assert delivery.error_message.startswith("Malformed access token [redacted]: body was: [redacted]xxx")
    assert len(delivery.error_message) == 500
    odd = one(says(400, error(100, error_data=["odd"]) | {"error": {"code": 100, "message": None}}))
    assert odd.status is AttemptStatus.PERMANENT


def reach(base_url: str | None, sent: Command | None = None) -> SendAttempt:
    async def run() -> SendAttempt:
        async with ClientSession() as session:
            return await send_command(sent or command(), account(base_url), session)

    return asyncio.run(run())


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "https://127.0.0.1:{port}", "no-url", "ftp://127.0.0.1"])
def test_a_provider_that_can_not_be_reached_is_tried_again(url: str) -> None:
    """If a refused connection counted as sent, an outage of the provider would lose every reply."""
    delivery = reach(url.format(port=free_ports()))
    assert delivery.status is AttemptStatus.RETRYABLE
    assert delivery.delay > 0
    assert TOKEN not in str(delivery) and TEXT not in str(delivery)


def test_a_connection_that_takes_too_long_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """If waiting for a free connection counted as sent, a busy worker would lose what it never wrote."""
    monkeypatch.setattr(module, "TIMEOUT", ClientTimeout(total=None, connect=0.05))

    async def run() -> SendAttempt:
        arrived, release = asyncio.Event(), asyncio.Event()

        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            arrived.set()
            await release.wait()
            writer.close()

        server = await asyncio.start_server(hold, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, ClientSession(connector=TCPConnector(limit=1)) as session:
            first = asyncio.create_task(session.get(url))
            await asyncio.wait_for(arrived.wait(), HANG)
            second = await send_command(command(), account(url), session)
            release.set()
            await asyncio.gather(first, return_exceptions=True)
            return second

    assert asyncio.run(run()).status is AttemptStatus.RETRYABLE


def cut_off(how: str, sent: Command | None = None) -> SendAttempt:
    """Delivers to a server that reads the whole request and then goes away, or says nothing."""

    async def run() -> SendAttempt:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            if how == "silent":
                await reader.read(65536)
                await reader.read()
            if how == "half":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
                await writer.drain()
            if how == "reset":
                writer.transport.abort()
            if how == "garbage":
                writer.write(b"what?\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, ClientSession() as session:
            return await send_command(sent or command(), account(url), session)

    return asyncio.run(run())


@pytest.mark.parametrize("how", ["close", "reset", "half", "garbage", "silent"])
def test_a_request_without_an_answer_is_unknown(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a send that was cut off were tried again, the user would get it twice."""
    monkeypatch.setattr(module, "TIMEOUT", ClientTimeout(total=None, sock_read=0.1))
    delivery = cut_off(how)
    assert delivery.status is AttemptStatus.UNKNOWN
    assert delivery.delay == 0
    assert "no answer came" in (delivery.error_message or "")
    assert TOKEN not in str(delivery) and TEXT not in str(delivery)


def test_a_read_mark_without_an_answer_is_tried_again() -> None:
    """If an unknown read mark were given up, the user would see grey ticks for no reason: twice does no harm."""
    delivery = cut_off("close", command(CommandKind.READ))
    assert delivery.status is AttemptStatus.RETRYABLE
    assert delivery.delay > 0


def test_a_cancelled_delivery_is_cancelled() -> None:
    """If a cancelled call ended as an outcome, a worker that stops would record sends that it gave up."""

    async def run() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            arrived.set()
            await reader.read()
            writer.close()

        arrived = asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, ClientSession() as session:
            call = asyncio.create_task(send_command(command(), account(url), session))
            await asyncio.wait_for(arrived.wait(), HANG)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    asyncio.run(run())
