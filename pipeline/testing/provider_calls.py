"""Sample commands for providers, and a local HTTP server that answers their calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import ClientSession, web

from pipeline.providers.base import Provider, SendAttempt
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind

TOKEN: Final = "a-very-secret-token"  # noqa: S105 (of a sample account)
TEXT: Final = "my PIN is 4821"

_MESSAGE: Final = "false_15550001111@c.us_A"
_OWN_MESSAGE: Final = "true_15550001111@c.us_A"
_LINK: Final = {"link": "https://files.example/a.jpg"}

BODIES: Final[Mapping[CommandKind, dict[str, Any]]] = {
    CommandKind.TEXT: {"text": TEXT, "preview_url": False},
    CommandKind.READ: {"message_id": _MESSAGE, "typing": False},
    CommandKind.TYPING: {"on": True},
    CommandKind.IMAGE: {"media": _LINK, "caption": "Receipt"},
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
    CommandKind.REACTION: {"message_id": _MESSAGE, "emoji": "👍"},
    CommandKind.POLL: {"question": "When?", "options": ["Now", "Later"], "multiple": True},
    CommandKind.EDIT: {"message_id": _OWN_MESSAGE, "text": "better"},
    CommandKind.REVOKE: {"message_id": _OWN_MESSAGE},
    CommandKind.FORWARD: {"message_id": _MESSAGE},
    CommandKind.PIN: {"message_id": _MESSAGE, "on": True},
}
"""A body for each of the common kinds of commands."""

HttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def sample_command(provider: str, kind: CommandKind = CommandKind.TEXT, **changes: Any) -> Command:
    """Return a command of this kind, with the body from `BODIES`."""
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


def sample_account(provider: str, base_url: str | None = None, **changes: Any) -> Account:
    """Return an account of a provider for calls in tests, with the given fields changed."""
    fields = {"provider": provider, "id": "INSTANCE_ID", "token": TOKEN, "base_url": base_url}
    return Account(**{**fields, **changes})


def responds(status: int, body: object, headers: Mapping[str, str] | None = None) -> HttpHandler:
    """Return a handler that answers every request the same. `body`: bytes, or a value to encode as JSON."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=status, body=content, headers=headers, content_type="application/json")

    return handle


def deliver_to(
    provider: Provider, handler: HttpHandler, *commands: Command, base_url: str | None = None
) -> list[SendAttempt]:
    """Deliver commands to a server that answers by `handler`, or to whatever listens at `base_url`."""

    async def run() -> list[SendAttempt]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        try:
            async with ClientSession() as session:
                account = sample_account(provider.name, base_url or f"http://{host}:{port}/")
                return [await provider.deliver(each, account, session) for each in commands]
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def requested_paths(provider: Provider, *commands: Command) -> list[str]:
    """Deliver commands to a server that accepts everything in every provider's form, and return the requested paths."""
    paths: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.json_response({"success": True, "id": "1", "data": {"msgId": 1}, "messages": [{"id": "1"}]})

    deliver_to(provider, handle, *commands)
    return paths
