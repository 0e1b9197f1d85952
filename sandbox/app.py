"""The sandbox as an aiohttp application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from aiohttp import web

from pipeline.sandbox.chat import Chat
from pipeline.sandbox.cloud import GraphApi
from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.control import Control
from pipeline.sandbox.core import Sandbox
from pipeline.sandbox.guard import guard_control
from pipeline.sandbox.page import Page
from pipeline.sandbox.provider import SandboxProvider
from pipeline.sandbox.waha import WahaApi
from pipeline.sandbox.wasender import WasenderApi
from pipeline.sandbox.wawp import WawpApi

BODY_LIMIT: Final = 101 * 1024 * 1024
"""Bytes of a request: the largest file that a provider accepts, with its form. aiohttp's default is 1 MiB."""

_PROVIDERS: Final[tuple[Callable[[Sandbox], SandboxProvider], ...]] = (GraphApi, WasenderApi, WawpApi, WahaApi)


def build(config: SandboxConfig) -> web.Application:
    """Create the application of one sandbox: the providers' endpoints, `/_sandbox`, health and the pages."""
    sandbox = Sandbox(config)
    for create in _PROVIDERS:
        sandbox.add(create)
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[guard_control])
    for provider in sandbox.providers.values():
        app.add_routes(provider.routes())
    app.add_routes([*Control(sandbox).routes(), *Chat(sandbox).routes(), *Page(sandbox).routes()])
    app.add_routes([web.get("/healthz", _well), web.get("/readyz", _well)])
    app.cleanup_ctx.append(_running(sandbox))
    app.on_shutdown.append(_releasing(sandbox))
    return app


def _running(sandbox: Sandbox) -> Callable[[web.Application], AsyncIterator[None]]:
    async def context(_: web.Application) -> AsyncIterator[None]:
        async with sandbox.running():
            yield

    return context


def _releasing(sandbox: Sandbox) -> Callable[[web.Application], Awaitable[None]]:
    async def release(_: web.Application) -> None:
        """Release delayed answers, so that they don't delay the shutdown."""
        sandbox.faults.release()

    return release


async def _well(_: web.Request) -> web.Response:
    """Return 200: the sandbox has no dependencies, so it is ready when it answers."""
    return web.json_response({"status": "ok"})
