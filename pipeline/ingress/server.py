"""The ingress as a process: it listens, and on SIGTERM it stops within five seconds without losing a 200."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from pipeline.errors import UsageError
from pipeline.event_loop import new_event_loop
from pipeline.ingress.app import create_app
from pipeline.ingress.door import MAX_IN_FLIGHT, Door
from pipeline.ingress.gate import Gate
from pipeline.ingress.guard import closed_accounts, require_secrets
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

_log = get_logger(__name__)


class Ingress:
    """A running ingress. `port` is the one that it listens on, also when it was asked for any (0)."""

    def __init__(self, publisher: Publisher, port: int) -> None:
        self.publisher = publisher
        self.port = port


def run(settings: Settings, tenants: Tenants) -> None:
    """Serves until SIGTERM or SIGINT. Raises `PipelineError` when it can't begin or can't go on."""
    require_secrets(tenants)
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
) -> AsyncIterator[Ingress]:
    """Listens inside the block; leaving it finishes what is in flight. Needs no broker to begin."""
    require_secrets(tenants)
    logging.getLogger("aiohttp.server").addFilter(_is_no_bad_request)
    publisher = Publisher(settings.kafka)
    probes = Probes(publisher)
    limit = settings.body_limit
    door = Door(
        publisher,
        tenants,
        body_limit=limit,
        deadline=settings.ingress_deadline,
        max_in_flight=max_in_flight,
        proxies=Proxies(settings.trusted_proxies),
    )
    runner = web.AppRunner(
        create_app(door, probes, tenants, providers, body_limit=limit),
        access_log=None,
        handle_signals=False,
        auto_decompress=False,
        lingering_time=_LINGER_SECONDS,
        shutdown_timeout=_FINISH_SECONDS,
    )
    stops = ExitStack()
    try:
        await runner.setup()
        assert runner.server is not None
        gate = Gate(runner.server, settings.ingress_connections)
        listening = await _listen(gate, settings.ingress_host, settings.ingress_port)
        stops.callback(listening.close)
        yield Ingress(publisher, int(listening.sockets[0].getsockname()[1]))
    finally:
        probes.closing = True
        stops.close()
        await runner.cleanup()
        await publisher.stop(_FLUSH_SECONDS)


def _is_no_bad_request(record: logging.LogRecord) -> bool:
    """What is no HTTP was answered 400. Its bytes, a secret perhaps among them, and a traceback are not for the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def _until_told(settings: Settings, tenants: Tenants) -> None:
    told = asyncio.Event()
    _on_signals(told.set)
    async with serving(settings, tenants) as ingress:
        _log.info("listening", host=settings.ingress_host, port=ingress.port, kafka=settings.kafka)
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
            f"can't listen on {host}:{port} ({error.strerror}): choose another with --port or PIPELINE_INGRESS_PORT"
        ) from None


def _on_signals(tell: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, tell)
