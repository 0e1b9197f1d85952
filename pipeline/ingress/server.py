"""The ingress process: it listens, and on SIGTERM it stops within five seconds without losing a webhook."""

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
from pipeline.ingress.admission import MAX_IN_FLIGHT, Admission
from pipeline.ingress.connection import Timeouts
from pipeline.ingress.file_limit import raise_file_limit, spare_files
from pipeline.ingress.limiter import ConnectionLimiter
from pipeline.ingress.overload import MAX_REJECTING, ProtocolFactory
from pipeline.ingress.probes import Probes
from pipeline.ingress.publish_queue import MAX_PUBLISHING
from pipeline.ingress.publisher import WebhookPublisher
from pipeline.ingress.receiver import WebhookReceiver
from pipeline.ingress.routes import create_admin_app, create_app
from pipeline.ingress.send_api import SendServices
from pipeline.ingress.send_quotas import SendDefaults
from pipeline.ingress.startup_checks import require_secrets, unauthenticated_accounts
from pipeline.ingress.trusted_proxies import TrustedProxies
from pipeline.logging import get_logger
from pipeline.providers import PROVIDERS
from pipeline.providers.base import Provider
from pipeline.settings import Settings
from pipeline.state import open_store
from pipeline.tenants import Tenants
from pipeline.uploads.writer import UploadTopic

_SHUTDOWN_TIMEOUT: Final = 3.0
"""Seconds for requests in flight, after the listening socket is closed."""
_FLUSH_TIMEOUT: Final = 1.0
"""Seconds for records that are not acknowledged, after the last request."""
_LINGER_TIMEOUT: Final = 1.0
"""Seconds to read the rest of a body after an early response, so that the caller reads that response."""

_OPTIONS: Final[Mapping[str, Any]] = {
    "access_log": None,
    "auto_decompress": False,
    "lingering_time": _LINGER_TIMEOUT,
}
"""Options of `web.RequestHandler` for every connection."""
MAX_ADMIN_CONNECTIONS: Final = 100
"""Connections of the admin port. It has its own limit, so that probes are answered while the ingress is full."""

_log = get_logger(__name__)


class RunningIngress:
    """A running ingress.

    Attributes:
        port: the port that it listens on, also if the settings ask for any free one (0).
        admin_port: the port of the probes.
    """

    def __init__(self, publisher: WebhookPublisher, port: int, admin_port: int) -> None:
        self.publisher = publisher
        self.port = port
        self.admin_port = admin_port


def run(settings: Settings, tenants: Tenants) -> None:
    """Serve until SIGTERM or SIGINT. Raise `PipelineError` if the ingress can't start or can't go on."""
    require_secrets(tenants)
    aiokafka_patches.install()
    gc.freeze()  # imported modules are never garbage: a full collection would walk them in the middle of a webhook
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve_until_signal(settings, tenants))


@asynccontextmanager
async def serving(
    settings: Settings,
    tenants: Tenants,
    *,
    providers: Mapping[str, Provider] = PROVIDERS,
    max_in_flight: int = MAX_IN_FLIGHT,
    max_publishing: int = MAX_PUBLISHING,
    timeouts: Timeouts | None = None,
) -> AsyncIterator[RunningIngress]:
    """Listen inside the block; finish the requests in flight when it ends. It starts without a broker, too."""
    require_secrets(tenants)
    publisher = WebhookPublisher(settings.kafka)
    probes = Probes(publisher)
    limit, proxies = settings.body_limit, TrustedProxies(settings.trusted_proxies)
    timeouts = timeouts or Timeouts(idle=settings.ingress_keepalive)
    admission = Admission(
        publisher,
        body_limit=limit,
        deadline=settings.ingress_deadline,
        max_in_flight=max_in_flight,
        max_publishing=max_publishing,
        stall=timeouts.body,
        proxies=proxies,
    )
    connections = ConnectionLimiter(
        settings.ingress_connections, settings.ingress_connections_per_client, timeouts.grace
    )
    probing = ConnectionLimiter(MAX_ADMIN_CONNECTIONS, MAX_ADMIN_CONNECTIONS)
    receiver = WebhookReceiver(admission, publisher, tenants)
    store = open_store(settings.cache, settings.redis, settings.data_dir / "cache", settings.redis_replicas)
    uploads = UploadTopic(settings.kafka)
    services = SendServices(_quotas(settings), store, uploads, settings.upload_deadline)
    app = create_app(receiver, probes, tenants, providers, services, body_limit=limit)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        stack.push_async_callback(uploads.close)
        stack.push_async_callback(publisher.stop, _FLUSH_TIMEOUT)
        admin = await stack.enter_async_context(
            _listening(
                create_admin_app(probes), probing, TrustedProxies(), timeouts, settings, settings.ingress_admin_port
            )
        )
        port = await stack.enter_async_context(
            _listening(app, connections, proxies, timeouts, settings, settings.ingress_port)
        )
        stack.callback(setattr, probes, "closing", True)
        yield RunningIngress(publisher, port, admin)


def _quotas(settings: Settings) -> SendDefaults:
    return SendDefaults(
        settings.api_rate,
        settings.api_burst,
        settings.api_interactive_rate,
        settings.api_interactive_burst,
        settings.api_key_share,
    )


@asynccontextmanager
async def _listening(
    app: web.Application,
    limiter: ConnectionLimiter,
    proxies: TrustedProxies,
    timeouts: Timeouts,
    settings: Settings,
    port: int,
) -> AsyncIterator[int]:
    """Serve `app` inside the block; yield the port. Finish the requests in flight when the block ends."""
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_SHUTDOWN_TIMEOUT)
    await runner.setup()
    try:
        assert runner.server is not None
        rejecting = min(MAX_REJECTING, spare_files(settings.ingress_connections))
        factory = ProtocolFactory(runner.server, limiter, proxies, timeouts, _OPTIONS, rejecting)
        listening = await _listen(factory, settings.ingress_host, port)
        try:
            yield int(listening.sockets[0].getsockname()[1])
        finally:
            listening.close()
    finally:
        await runner.cleanup()


async def _serve_until_signal(settings: Settings, tenants: Tenants) -> None:
    stop_requested = asyncio.Event()
    _on_signals(stop_requested.set)
    if warning := raise_file_limit(settings.ingress_connections, MAX_REJECTING):
        _log.warning("file_limit_too_low", detail=warning)
    async with serving(settings, tenants) as ingress:
        _log.info(
            "ingress_listening",
            host=settings.ingress_host,
            port=ingress.port,
            admin_port=ingress.admin_port,
            kafka=settings.kafka,
        )
        for account in unauthenticated_accounts(tenants):
            _log.warning("webhook_secret_missing", detail="webhooks of this account get 401", account=account)
        ingress.publisher.fatal_error.add_done_callback(lambda _: stop_requested.set())
        await stop_requested.wait()
        _log.info("ingress_stopping")
    if ingress.publisher.fatal_error.done():
        raise ingress.publisher.fatal_error.result()


async def _listen(factory: ProtocolFactory, host: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(factory, host, port, backlog=1024)
    except OSError as error:
        raise UsageError(
            f"can't listen on {host}:{port} ({error.strerror}): choose another with --port or PIPELINE_INGRESS_PORT, "
            "or with PIPELINE_INGRESS_ADMIN_PORT if that is the one"
        ) from None


def _on_signals(callback: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, callback)
