"""The sandbox process."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import uvloop
from aiohttp import web

from pipeline.sandbox.app import build
from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.errors import SandboxError

STOP_WITHIN: Final = 0.5
"""Seconds for requests in flight to end."""


@asynccontextmanager
async def served(config: SandboxConfig) -> AsyncIterator[str]:
    """Serve a sandbox inside the block; yield its URL. Raise `SandboxError` if the port is taken."""
    runner = web.AppRunner(build(config), access_log=None, shutdown_timeout=STOP_WITHIN)
    await runner.setup()
    try:
        await _listen(runner, config)
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, config: SandboxConfig) -> None:
    try:
        await web.TCPSite(runner, config.host, config.port, backlog=1024).start()
    except OSError as error:
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"can't be used ({error.strerror})"
        raise SandboxError(f"{config.host}:{config.port} {reason}: choose another host or port") from None


async def _until_stopped(config: SandboxConfig, ready: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with served(config) as url:
        ready(url)
        await stop.wait()


def run(config: SandboxConfig, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; call `ready` with the URL once it accepts requests."""
    uvloop.run(_until_stopped(config, ready))
