"""Commands for gateways, a server that answers as it is told, and the sandbox, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from aiohttp import ClientSession, web

from pipeline.providers import PROVIDERS
from pipeline.providers.base import Delivery
from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import served
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind

TOKEN = "a-very-secret-token"
TEXT = "my PIN is 4821"
ANA = "15550001111@c.us"
LINK = {"link": "https://files.example/a.jpg"}

BODIES: dict[CommandKind, dict[str, Any]] = {
    CommandKind.TEXT: {"text": TEXT, "preview_url": False},
    CommandKind.READ: {"message_id": f"false_{ANA}_A", "typing": False},
    CommandKind.TYPING: {"on": True},
    CommandKind.IMAGE: {"media": LINK, "caption": "Receipt"},
    CommandKind.VIDEO: {"media": {"link": "https://files.example/a.mp4"}},
    CommandKind.AUDIO: {"media": {"link": "https://files.example/a.mp3"}, "voice": True},
    CommandKind.DOCUMENT: {"media": {"link": "https://files.example/a.pdf", "filename": "bill.pdf"}},
    CommandKind.STICKER: {"media": {"link": "https://files.example/a.webp"}},
    CommandKind.LOCATION: {"latitude": 38.9, "longitude": -77.1, "name": "HQ", "address": "123 Main St"},
    CommandKind.CONTACTS: {"contacts": [{"name": {"formatted_name": "Jane"}, "phones": [{"phone": "+91 111"}]}]},
    CommandKind.BUTTONS: {"text": "Well?", "buttons": [{"id": "y", "title": "Yes"}]},
    CommandKind.LIST: {
        "text": "Choose",
        "button": "Open",
        "sections": [{"title": "Main", "rows": [{"id": "1", "title": "One", "description": "first"}]}],
        "header": {"type": "text", "text": "Menu"},
        "footer": "Thanks",
    },
    CommandKind.CTA: {"text": "Look", "button": "Shop", "url": "https://shop.example"},
    CommandKind.TEMPLATE: {"name": "hello", "language": "en"},
    CommandKind.REACTION: {"message_id": f"false_{ANA}_A", "emoji": "👍"},
    CommandKind.POLL: {"question": "When?", "options": ["Now", "Later"], "multiple": True},
    CommandKind.EDIT: {"message_id": f"true_{ANA}_A", "text": "better"},
    CommandKind.REVOKE: {"message_id": f"true_{ANA}_A"},
    CommandKind.FORWARD: {"message_id": f"false_{ANA}_A"},
    CommandKind.PIN: {"message_id": f"false_{ANA}_A", "on": True},
}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Seen(NamedTuple):
    """A request as it arrived."""

    method: str
    path: str
    body: dict[str, Any]
    api_key: str | None


def command(provider: str, kind: CommandKind = CommandKind.TEXT, **changes: Any) -> Command:
    fields = {
        "command_id": "cmd-1",
        "tenant_id": "initech",
        "provider": provider,
        "account": "INSTANCE_ID",
        "recipient": "15550001111",
        "kind": kind,
        "body": BODIES.get(kind, {}),
        "created_at": datetime(2026, 1, 15, tzinfo=UTC),
    }
    return Command.model_validate({**fields, **changes})


def account(provider: str, base_url: str | None = None, **changes: Any) -> Account:
    fields = {"provider": provider, "id": "INSTANCE_ID", "token": TOKEN, "base_url": base_url}
    return Account.model_validate({**fields, **changes})


def delivered(provider: str, answer: Answer, *commands: Command, base_url: str | None = None) -> list[Delivery]:
    """The deliveries of commands through a server that gives `answer`, or to whatever is at `base_url`."""

    async def run() -> list[Delivery]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        try:
            async with ClientSession() as session:
                to = account(provider, base_url or f"http://{host}:{port}/")
                return [await PROVIDERS[provider].deliver(each, to, session) for each in commands]
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def says(status: int, body: object, headers: dict[str, str] | None = None) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return web.Response(status=status, body=content, headers=headers, content_type="application/json")

    return answer


def one(answer: Answer, sent: Command) -> Delivery:
    (delivery,) = delivered(sent.provider, answer, sent)
    return delivery


def requests(*commands: Command) -> list[Seen]:
    """What goes over the wire for commands; every call is answered with a message."""
    seen: list[Seen] = []

    async def answer(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        seen.append(Seen(request.method, request.path, body, request.headers.get("X-Api-Key")))
        assert TOKEN not in str(request.url)
        return web.json_response({"id": "true_x@c.us_OUT"}, status=201)

    delivered(commands[0].provider, answer, *commands)
    return seen


def asked(*commands: Command) -> list[str]:
    """The paths that are asked for commands; every call is taken, in every provider's words."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response({"success": True, "id": "1", "data": {"msgId": 1}, "messages": [{"id": "1"}]})

    delivered(commands[0].provider, answer, *commands)
    return seen


def in_sandbox(
    provider: str, account: Account, faults: dict[str, Any] | None, *commands: Command
) -> tuple[list[Delivery], Any]:
    """The deliveries of commands through a sandbox with these faults, and what it then says was sent."""

    async def run() -> tuple[list[Delivery], Any]:
        async with served(SandboxConfig(port=0, statuses=())) as url, ClientSession() as session:
            if faults:
                await (await session.post(f"{url}/_sandbox/faults", json=faults)).read()
            to = account.model_copy(update={"base_url": url})
            done = [await PROVIDERS[provider].deliver(each, to, session) for each in commands]
            async with session.get(f"{url}/_sandbox/sent") as answer:
                return done, await answer.json()

    return asyncio.run(run())
