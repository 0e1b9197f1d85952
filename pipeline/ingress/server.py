"""The ingress as a process: it listens, and on SIGTERM it stops within five seconds without losing a 200."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from aiohttp import web

from pipeline import aiokafka_patches
from pipeline.errors import UsageError
from pipeline.event_loop import new_event_loop
from pipeline.ingress.app import create_admin_app, create_app
from pipeline.ingress.connection import Timeouts
from pipeline.ingress.door import MAX_IN_FLIGHT, Door
from pipeline.ingress.file_limit import allow_files, spare_files
from pipeline.ingress.gate import MOST_REFUSALS, Gate
from pipeline.ingress.guard import closed_accounts, require_secrets
from pipeline.ingress.limiter import ConnectionLimiter
from pipeline.ingress.probes import Probes
from pipeline.ingress.publisher import Publisher
from pipeline.ingress.remote import Proxies
from pipeline.logging import get_logger
from pipeline.providers import PROVIDERS
from pipeline.providers.base import Provider
from pipeline.settings import Settings
from pipeline.tenants import Tenants

_FINISH_SECONDS: Final = 3.0
"""For requests in flight, after the listening socket is closed."""
_FLUSH_SECONDS: Final = 1.0
_LINGER_SECONDS: Final = 1.0
"""For the rest of a body that was answered before it was read, so that the caller reads the answer."""

_OPTIONS: Final[Mapping[str, Any]] = {
    "access_log": None,
    "auto_decompress": False,
    "lingering_time": _LINGER_SECONDS,
}
"""Of every connection."""
ADMIN_CONNECTIONS: Final = 100
"""Of the admin port, which has a place for a probe when the ingress has none."""

_log = get_logger(__name__)


class Ingress:
    """A running ingress. `port` and `admin_port` are those that it listens on, also when it was asked for any (0)."""

    def __init__(self, publisher: Publisher, port: int, admin_port: int) -> None:
        self.publisher = publisher
        self.port = port
        self.admin_port = admin_port


def run(settings: Settings, tenants: Tenants) -> None:
    """Serves until SIGTERM or SIGINT. Raises `PipelineError` when it can't begin or can't go on."""
    require_secrets(tenants)
    aiokafka_patches.install()
    gc.freeze()  # what is imported lives for ever: full collections would only walk it, in the middle of a webhook
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_until_told(settings, tenants))


@asynccontextmanager
async def serving(
    settings: Settings,
    tenants: Tenants,
    *,
    providers: Mapping[str, Provider] = PROVIDERS,
    max_in_flight: int = MAX_IN_FLIGHT,
    timeouts: Timeouts | None = None,
) -> AsyncIterator[Ingress]:
    """Listens inside the block; leaving it finishes what is in flight. Needs no broker to begin."""
    require_secrets(tenants)
    publisher = Publisher(settings.kafka)
    probes = Probes(publisher)
    limit, proxies = settings.body_limit, Proxies(settings.trusted_proxies)
    timeouts = timeouts or Timeouts(idle=settings.ingress_keepalive)
    door = Door(
        publisher,
        tenants,
        body_limit=limit,
        deadline=settings.ingress_deadline,
        max_in_flight=max_in_flight,
        stall=timeouts.body,
        proxies=proxies,
    )
    connections = ConnectionLimiter(
        settings.ingress_connections, settings.ingress_connections_per_client, timeouts.grace
    )
    probing = ConnectionLimiter(ADMIN_CONNECTIONS, ADMIN_CONNECTIONS)
    app = create_app(door, probes, tenants, providers, body_limit=limit)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(publisher.stop, _FLUSH_SECONDS)
        admin = await stack.enter_async_context(
            _listening(create_admin_app(probes), probing, Proxies(), timeouts, settings, settings.ingress_admin_port)
        )
        port = await stack.enter_async_context(
            _listening(app, connections, proxies, timeouts, settings, settings.ingress_port)
        )
        stack.callback(setattr, probes, "closing", True)
        yield Ingress(publisher, port, admin)


@asynccontextmanager
async def _listening(
    app: web.Application,
    limiter: ConnectionLimiter,
    proxies: Proxies,
    timeouts: Timeouts,
    settings: Settings,
    port: int,
) -> AsyncIterator[int]:
    """Serves `app`; gives the port. Leaving it finishes what is in flight."""
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_FINISH_SECONDS)
    await runner.setup()
    try:
        assert runner.server is not None
        refusals = min(MOST_REFUSALS, spare_files(settings.ingress_connections))
        gate = Gate(runner.server, limiter, proxies, timeouts, _OPTIONS, refusals)
        listening = await _listen(gate, settings.ingress_host, port)
        try:
            yield int(listening.sockets[0].getsockname()[1])
        finally:
            listening.close()
    finally:
        await runner.cleanup()


async def _until_told(settings: Settings, tenants: Tenants) -> None:
    told = asyncio.Event()
    _on_signals(told.set)
    if warning := allow_files(settings.ingress_connections, MOST_REFUSALS):
        _log.warning(warning)
    async with serving(settings, tenants) as ingress:
        _log.info(
            "listening",
            host=settings.ingress_host,
            port=ingress.port,
            admin_port=ingress.admin_port,
            kafka=settings.kafka,
        )
        for account in closed_accounts(tenants):
            _log.warning("no webhook secret: its webhooks are answered 401", account=account)
        ingress.publisher.lost.add_done_callback(lambda _: told.set())
        await told.wait()
        _log.info("stopping")
    if ingress.publisher.lost.done():
        raise ingress.publisher.lost.result()


async def _listen(gate: Gate, host: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(gate, host, port, backlog=1024)
    except OSError as error:
        raise UsageError(
            f"can't listen on {host}:{port} ({error.strerror}): choose another with --port or PIPELINE_INGRESS_PORT, "
            "or with PIPELINE_INGRESS_ADMIN_PORT if that is the one"
        ) from None


def _on_signals(tell: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, tell)
