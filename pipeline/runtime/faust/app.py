"""The app: Faust's, on a safe transport, with flows of stages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import faust
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.errors import UsageError
from pipeline.logging import get_logger
from pipeline.metrics import BREAKER_OPEN, IN_PROGRESS
from pipeline.private_files import make_private_dir
from pipeline.runtime.faust.assignor import Assignor
from pipeline.runtime.faust.consumer import Consumer
from pipeline.runtime.faust.plain_agents import AgentFunction, ending
from pipeline.runtime.faust.producer import Producer
from pipeline.runtime.faust.rocksdb import Table
from pipeline.runtime.faust.table_manager import TableManager
from pipeline.runtime.flows.breaker import Breaker, BreakerConfig
from pipeline.runtime.flows.chain import Chain
from pipeline.runtime.flows.chain_loop import ChainLoop
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.dead_letters import PREFIX
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.flows.gap_letters import report
from pipeline.runtime.flows.retry import RetryPolicy
from pipeline.runtime.flows.stage import ConcurrentStage, Stage, Through, split_hops
from pipeline.runtime.kafka.admin import largest
from pipeline.runtime.kafka.client_tasks import ClientLost, lost, of_consumer, of_producer
from pipeline.runtime.kafka.publisher import Publisher
from pipeline.runtime.kafka.retention import look_at_retention
from pipeline.runtime.quarantine.crash_marker import CrashMarker
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.tables.store import TableStore
from pipeline.runtime.tables.views import UncommittedWrites
from pipeline.settings import Settings
from pipeline.topics.dead_letters import GAP
from pipeline.topics.installation import Installation

log = get_logger(__name__)


OBSERVE_SECONDS = 10.0
"""In which a broker that is there says where its partitions end."""


REST_SECONDS = 2.0
"""In which the broker hears that a process was told to end."""


class Transport(driver.Transport):
    Consumer = Consumer
    Producer = Producer


class PipelineApp(faust.App):
    """A consumer group of stages.

    `flow` takes stages. `agent`, `topic`, `Table` are Faust's own: a plain agent is acknowledged as far as its
    loop has come, loses no offset, and ends the process when it raises; but it has no dead letters, no retries in
    place, no atomic outputs, and a send of its own is only safe when it is awaited twice.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        retries: RetryPolicy | None = None,
        limits: BreakerConfig | None = None,
        **options: Any,
    ) -> None:
        self.pipeline = settings
        self.retries = retries or RetryPolicy(upgrade_wait=settings.upgrade_wait)
        self.limits = limits or BreakerConfig(settings.failure_run, settings.failure_ratio)
        self.pending = UncommittedWrites()
        self.marking = asyncio.Lock()
        self.table_stores: dict[str, TableStore] = {}
        self.sources: set[str] = set()
        self.dead_letters: dict[str, set[str]] = {}
        self.entries: dict[str, str] = {}
        self.installation = Installation()
        self.retentions: dict[str, float] = {}
        self.loops: list[ChainLoop | ConcurrentLoop] = []
        self.exclusive = ProcessExclusivity()
        self.crash_marker = CrashMarker(_mark_file(name, settings))
        self._publisher: Publisher | None = None
        self._backlogs: dict[str, FetchBuffer] = {}
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._revoked: list[Callable[[], None]] = []
        faust_settings = {**_faust_settings(name, settings), **options}
        make_private_dir(faust_settings["datadir"])
        super().__init__(name, **faust_settings)

    # Building

    def table(self, name: str, *, ttl: int) -> None:
        """A table that remembers each row for `ttl` seconds at least. Its changelog is `<app>-<name>-changelog`."""
        self.table_stores[name] = TableStore(self, name, self.pipeline.partitions, ttl)

    def flow(self, source: str, *steps: Stage | Through | ConcurrentStage) -> None:
        """Reads `source` through the stages: quick ones chained, or a single concurrent one."""
        if len(steps) == 1 and isinstance(steps[0], ConcurrentStage):
            self._add(source, ConcurrentLoop(self, source, steps[0], self._breaker(source)), steps[0].name)
            return
        for topic, stages in split_hops(source, steps):
            breaker = self._breaker(topic)
            loop = ChainLoop(self, topic, self.chain(stages, breaker), breaker)
            self._add(topic, loop, *(stage.name for stage in stages))

    def chain(self, stages: Iterable[Stage], breaker: Breaker | None = None) -> Chain:
        return Chain(
            tuple(stages),
            tables=self.table_stores,
            stores=lambda table, partition: self.table_stores[table].partition(partition),
            pending=self.pending,
            retries=self.retries,
            breaker=breaker,
        )

    def _breaker(self, source: str) -> Breaker:
        def tell(cause: str | None) -> None:
            about = {"app": self.conf.id, "source": source}
            if cause is None:
                log.warning("the flow takes in again", **about)
            else:
                log.error("the flow stops taking in: failures are the rule; it goes on by itself", cause=cause, **about)

        return Breaker(self.limits, tell)

    def agent(self, *args: Any, **options: Any) -> Callable[[AgentFunction], Any]:
        """Faust's decorator; but an agent that raises ends the process, and its event is not acknowledged."""
        decorate: Callable[[AgentFunction], Any] = super().agent(*args, **options)
        return lambda function: decorate(ending(self, function))

    def _add(self, source: str, loop: ChainLoop | ConcurrentLoop, *stages: str) -> None:
        if source in self.sources:
            raise UsageError(f"app {self.conf.id} has two flows from {source}: chain their stages, or make another app")
        self.sources.add(source)
        self.dead_letters[source] = {PREFIX + stage for stage in stages}
        self.entries[source] = stages[0]
        self.loops.append(loop)
        self._backlogs[source] = loop.buffer
        topic = self.topic(source, value_serializer="raw", key_serializer="raw", value_type=bytes, key_type=bytes)

        async def run(_: Any) -> None:
            await loop.run()

        self.agent(topic, name=f"{self.conf.id}.{source}")(run)

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Something that the stages use, to be closed when the app has stopped."""
        self._closers.append(close)

    def on_revoked(self, forget: Callable[[], None]) -> None:
        """Called when partitions were revoked, and again when they are assigned: what is kept in memory about their
        records is to be forgotten, since others may have worked on them meanwhile."""
        self._revoked.append(forget)

    def _forget(self) -> None:
        for forget in self._revoked:
            forget()

    # Running

    @property
    def topic_names(self) -> set[str]:
        """Every topic that the app can't start without."""
        changelogs = {store.changelog for store in self.table_stores.values()}
        return self.sources.union(changelogs, *self.dead_letters.values())

    async def stop(self) -> None:
        await super().stop()
        await self.release()

    async def rest(self) -> None:
        """Takes nothing more, and commits that whatever ends the process from now on blames no record."""
        if self.started:
            self.list_consumer.quarantine.rest(ending=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(REST_SECONDS):
                    await self.list_consumer.commit_notes()

    def _got_on(self) -> None:
        """Tells a supervisor that this process does not die in vain."""
        if self.pipeline.progress_file is not None:
            with suppress(OSError):
                self.pipeline.progress_file.touch()

    async def release(self) -> None:
        """Closes what the stages use; all there is to do for an app that was never started."""
        while self._closers:
            await self._closers.pop()()

    async def wait_until_crashed(self) -> None:
        await self._crashed.wait()

    def why(self) -> str:
        """What it crashed of."""
        return repr(self.crash_reason)

    @cached_property
    def list_consumer(self) -> Consumer:
        """Kept, since every record asks for it several times."""
        return cast(Consumer, self.consumer)

    @property
    def publisher(self) -> Publisher:
        if self._publisher is None:
            producer = cast(Producer, self.producer)._ensure_producer()
            self._publisher = Publisher(producer, partial(largest, self.pipeline.kafka), self.installation.expected)
        return self._publisher

    @property
    def flowing(self) -> bool:
        """Whether records may be taken: not while partitions move or the app stops."""
        return bool(self.flow_control.is_active()) and not self.should_stop

    @property
    def ready(self) -> bool:
        """Whether tables are recovered, partitions assigned and nothing is moving or stopping."""
        recovered = cast(Any, self.tables).recovery.completed.is_set()
        return bool(self.started and recovered and not (self.rebalancing or self.unassigned or self.should_stop))

    @property
    def stopped(self) -> dict[str, str]:
        """The kind of error that stopped a flow from taking in, by the flow's source."""
        gaps = self.list_consumer.gaps.stopped.values() if self.started else ()
        found = {gap.tp.topic: f"{GAP}: {gap}" for gap in gaps}
        return found | {
            loop.source: cause
            for loop in self.loops
            if (cause := loop.breaker.cause or loop.blocked_dead_letters.cause)
        }

    async def observe(self) -> None:
        """Looks where the partitions stand. While they move, or the broker does not answer, nobody is to blame.

        An app whose client is lost would wait for that answer for ever: it crashes.
        """
        if self.started and not self.should_stop and (error := self._lost()):
            await self.crash(error)
        elif self.started:
            consumer, ready = self.list_consumer, self.ready
            try:
                async with asyncio.timeout(OBSERVE_SECONDS):
                    await (consumer.observe() if ready else consumer.ask_broker())
                    if ready:
                        await look_at_retention(self.conf.id, consumer, self.retentions)
            except (KafkaError, TimeoutError):
                ready = False
                consumer.progress.excuse()
            if not ready:
                consumer.progress.keep(())

    def _lost(self) -> ClientLost | None:
        producer = cast(Producer, self.producer)._ensure_producer()
        return lost({**of_consumer(self.list_consumer.client), **of_producer(producer)})

    def idle(self) -> dict[TP, float]:
        """Seconds for which nothing was done about each partition that is behind."""
        return self.list_consumer.progress.ages() if self.started else {}

    def stuck(self, seconds: float) -> dict[TP, float]:
        """Seconds by partition about which nothing is done, or of which one record's try does not end."""
        if not self.started:
            return {}
        progress, longest = self.list_consumer.progress, max(seconds, 2 * self.pipeline.handler_timeout)
        idle = {tp: age for tp, age in progress.ages().items() if age > seconds}
        return {tp: age for tp, age in progress.tries().items() if age > longest} | idle

    @property
    def apart(self) -> float | None:
        """Seconds for which it has had no place in its group, once they are more than any rebalance takes.

        A member that the group has no partitions for has its place.
        """
        if not self.started or self.should_stop or (since := self.list_consumer.apart_since) is None:
            return None
        longest = self.conf.broker_session_timeout + self.conf.broker_rebalance_timeout
        age = self.list_consumer.progress.since(since)
        return age if age > longest else None

    def _new_consumer(self) -> Consumer:
        consumer = cast(Consumer, super()._new_consumer())
        consumer.backlogs = self._backlogs
        consumer.on_forget = self._forget
        consumer.gaps.report = report(self)
        self.exclusive.possible &= len(self.agents) == len(self.sources)
        consumer.guard(self.exclusive, lambda: all(loop.quiet for loop in self.loops))
        consumer.hint = self.crash_marker.crash_hint
        consumer.got_on = self._got_on
        IN_PROGRESS.labels(self.conf.id).set_function(lambda: sum(len(loop) for loop in self.loops))
        BREAKER_OPEN.labels(self.conf.id).set_function(lambda: len(self.stopped))
        return consumer

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)


def _mark_file(name: str, settings: Settings) -> Path | None:
    """Only a worker that keeps its name from life to life finds its own mark again."""
    return settings.data_dir / "running" / f"{name}-{settings.instance_id}" if settings.instance_id else None


def _faust_settings(name: str, settings: Settings) -> dict[str, Any]:
    """The settings that the safe runtime rests on, each with its reason in docs/architecture.md."""
    return {
        "broker": [f"kafka://{server}" for server in settings.kafka.split(",")],
        "store": "rocksdb://",
        "Table": Table,
        "TableManager": TableManager,
        "PartitionAssignor": Assignor,
        "datadir": Path(settings.data_dir, "tables", name),
        "processing_guarantee": "at_least_once",
        "stream_wait_empty": True,
        "stream_buffer_maxsize": 32768,
        "stream_recovery_delay": 0.0,
        "broker_commit_interval": settings.commit_interval,
        "broker_session_timeout": settings.session_timeout,
        "broker_heartbeat_interval": min(3.0, settings.session_timeout / 5),
        "broker_request_timeout": 90.0,
        "broker_rebalance_timeout": settings.handler_timeout + 10,
        "consumer_group_instance_id": f"{name}-{settings.instance_id}" if settings.instance_id else None,
        "consumer_auto_offset_reset": "none",
        "consumer_max_fetch_size": 1024 * 1024,
        "producer_linger": 0,
        "producer_max_batch_size": 512 * 1024,
        "producer_max_request_size": 8 * 1024 * 1024,
        "producer_request_timeout": 120.0,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "topic_partitions": settings.partitions,
        "table_standby_replicas": 0,
        "key_serializer": "raw",
        "value_serializer": "raw",
        "web_enabled": False,
        "web_tables_enabled": False,
        "web_router_enabled": False,
        "worker_redirect_stdouts": False,
        "autodiscover": False,
    }
