"""Commands for gateways, a server that answers as it is told, and the sandbox, over real HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, NamedTuple

import orjson
from aiohttp import ClientSession, web

from pipeline.providers import PROVIDERS
from pipeline.providers.base import SendAttempt
from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import served
from pipeline.tenants import Account
from pipeline.testing.provider_calls import BODIES, TEXT, TOKEN, HttpHandler, deliver_to
from pipeline.testing.provider_calls import responds as says
from pipeline.testing.provider_calls import sample_account as account
from pipeline.testing.provider_calls import sample_command as command
from pipeline.topics.commands import Command

__all__ = [
    "ANA",
    "BODIES",
    "LINK",
    "TEXT",
    "TOKEN",
    "HttpHandler",
    "account",
    "command",
    "delivered",
    "in_sandbox",
    "one",
    "requests",
    "says",
]

ANA = "15550001111@c.us"
LINK = {"link": "https://files.example/a.jpg"}


class Seen(NamedTuple):
    """A request as it arrived."""

    method: str
    path: str
    body: dict[str, Any]
    api_key: str | None


def delivered(provider: str, answer: HttpHandler, *commands: Command, base_url: str | None = None) -> list[SendAttempt]:
    """The attempts at commands through a server that gives `answer`, or through whatever is at `base_url`."""
    return deliver_to(PROVIDERS[provider], answer, *commands, base_url=base_url)


def one(answer: HttpHandler, sent: Command) -> SendAttempt:
    (delivery,) = delivered(sent.provider, answer, sent)
    return delivery


def requests(*commands: Command) -> list[Seen]:
    """Return the requests for commands; every call is answered with a message."""
    seen: list[Seen] = []

    async def answer(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        seen.append(Seen(request.method, request.path, body, request.headers.get("X-Api-Key")))
        assert TOKEN not in str(request.url)
        return web.json_response({"id": "true_x@c.us_OUT"}, status=201)

    delivered(commands[0].provider, answer, *commands)
    return seen


def in_sandbox(
    provider: str, account: Account, faults: dict[str, Any] | None, *commands: Command
) -> tuple[list[SendAttempt], Any]:
    """The deliveries of commands through a sandbox with these faults, and what it then says was sent."""

    async def run() -> tuple[list[SendAttempt], Any]:
        async with served(SandboxConfig(port=0, statuses=())) as url, ClientSession() as session:
            if faults:
                await (await session.post(f"{url}/_sandbox/faults", json=faults)).read()
            to = replace(account, base_url=url)
            done = [await PROVIDERS[provider].deliver(each, to, session) for each in commands]
            async with session.get(f"{url}/_sandbox/sent") as answer:
                return done, await answer.json()

    return asyncio.run(run())
