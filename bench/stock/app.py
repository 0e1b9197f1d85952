"""The app that stock workers start from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import faust
from faust.web import Request, Response, View

from pipeline.settings import Settings
from pipeline.topics.records import Record


def stock_app(name: str, settings: Settings, **options: Any) -> faust.App:
    """Return an unmodified `faust.App`, with the settings under which it is fastest.

    Batches of 256 kB and 20 ms of linger (`BENCH_STOCK_LINGER_MS`), because the defaults send 22 webhooks a request; a
    stream buffer of 65,536, because a full one makes the fetcher sleep for a second; RocksDB; no standby replicas, no
    leader topic.
    """
    app = faust.App(
        name,
        **{"producer_linger": _linger(), **options},
        broker=[f"kafka://{server}" for server in settings.kafka.split(",")],
        store="rocksdb://",
        datadir=_directory(settings, name),
        stream_buffer_maxsize=65_536,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.session_timeout / 5,
        consumer_auto_offset_reset="earliest",
        producer_max_batch_size=256 * 1024,
        producer_max_request_size=8 * 1024 * 1024,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        table_standby_replicas=0,
        key_serializer="raw",
        value_serializer="raw",
        web_port=settings.worker_port or 6066,
        web_host=settings.worker_host,
        web_bind=settings.worker_host,
        worker_redirect_stdouts=False,
        autodiscover=False,
    )
    _add_readiness(app)
    return app


def raw_topic(app: faust.App, *names: str) -> Any:
    """Topics of bytes, as one channel."""
    return app.topic(*names, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


class Topics:
    """The topics that an app sends to, by name."""

    def __init__(self, app: faust.App) -> None:
        self._app = app
        self._known: dict[str, Any] = {}

    async def send(self, record: Record) -> None:
        """Send without waiting for the acknowledgement."""
        await self[record.topic].send(key=record.key, value=record.value, headers=list(record.headers))

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = raw_topic(self._app, name)
        return self._known[name]


def _linger() -> float:
    return float(os.environ.get("BENCH_STOCK_LINGER_MS", "20")) / 1000


def _directory(settings: Settings, name: str) -> Path:
    directory = Path(settings.data_dir, "stock", name)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _add_readiness(app: faust.App) -> None:
    @app.page("/readyz")
    async def ready(view: View, _: Request) -> Response:
        well = bool(app.started and (app.producer_only or _assigned(app)))
        return view.json({"ready": well}, status=200 if well else 503)


def _assigned(app: faust.App) -> bool:
    tables: Any = app.tables
    return bool(tables.recovery.completed.is_set() and not app.rebalancing and not app.unassigned)
