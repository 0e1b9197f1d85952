"""The app of a consumer group: Faust's app on a safe transport, with flows of stages."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, cast

import faust
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.backoff import STAGE_RETRIES, RetryPolicy
from pipeline.errors import ClientDied, UsageError
from pipeline.logging import get_logger
from pipeline.metrics import BREAKER_OPEN, IN_PROGRESS
from pipeline.private_files import make_private_dir
from pipeline.runtime.faust.assignor import TopicAwareAssignor
from pipeline.runtime.faust.consumer import Consumer
from pipeline.runtime.faust.gap_dead_letters import gap_policy
from pipeline.runtime.faust.membership import FencedNote
from pipeline.runtime.faust.plain_agents import AgentFunction, crash_on_error
from pipeline.runtime.faust.producer import Producer
from pipeline.runtime.faust.rocksdb import Table
from pipeline.runtime.faust.table_manager import TableManager
from pipeline.runtime.flows.breaker import Breaker, BreakerConfig
from pipeline.runtime.flows.breakers import group_config
from pipeline.runtime.flows.chain_loop import ChainLoop
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.context import Flow, FlowContext
from pipeline.runtime.flows.dead_letters import PREFIX
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.flows.holds import HoldTarget
from pipeline.runtime.flows.stage import ConcurrentStage, Stage, Through, split_hops
from pipeline.runtime.flows.waiting_metric import WaitingMetric
from pipeline.runtime.flows.waits import Waits
from pipeline.runtime.kafka.admin import max_batch_bytes
from pipeline.runtime.kafka.client_tasks import consumer_tasks, dead_task, producer_tasks
from pipeline.runtime.kafka.lag_metric import LagMetric
from pipeline.runtime.kafka.publisher import BatchPublisher
from pipeline.runtime.kafka.retention import update_retention_metric
from pipeline.runtime.parking.metric import ParkedMetric
from pipeline.runtime.parking.queue_rows import TABLE as PARKED
from pipeline.runtime.parking.view import ParkedView
from pipeline.runtime.process.accounts import AccountSource
from pipeline.runtime.process.lag import PartitionWork
from pipeline.runtime.quarantine.crash_marker import CrashMarker
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.tables.store import ROCKSDB, TableStore
from pipeline.runtime.tables.tables import Tables
from pipeline.settings import Settings
from pipeline.topics.dead_letters import GAP
from pipeline.topics.installation import Installation

log = get_logger(__name__)


OBSERVE_TIMEOUT: Final = 10.0
"""Timeout for reading where the partitions end, in seconds."""
LAST_COMMIT_TIMEOUT: Final = 2.0
"""Timeout for the commit before a process ends, in seconds."""
NOTHING_RECOVERED: Final = -1

MakeFlow = Callable[[FlowContext, str, FetchBuffer, Breaker], Flow]
"""Builds the loop of a flow, once its app has a publisher and a consumer."""


class Transport(driver.Transport):
    Consumer = Consumer
    Producer = Producer


class PipelineApp(faust.App):
    """A consumer group of stages.

    `flow` takes stages. `agent`, `topic` and `Table` are Faust's own. A plain agent loses no offset: it is acknowledged
    as far as its loop has come, and it ends the process when it raises. But it has no dead letters, no retries in
    place and no atomic outputs, and its sends are only safe when they are awaited twice.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        retries: RetryPolicy | None = None,
        breaker: BreakerConfig | None = None,
        **options: Any,
    ) -> None:
        self.pipeline = settings
        self.retries = retries or replace(STAGE_RETRIES, upgrade_wait=settings.upgrade_wait)
        self.breaker_config = breaker or BreakerConfig(settings.failure_run, settings.failure_ratio)
        self.stage_tables = Tables()
        self.sources: set[str] = set()
        self.dead_letters: dict[str, set[str]] = {}
        self.stages: dict[str, tuple[str, ...]] = {}
        self.installation = Installation()
        self.retentions: dict[str, float] = {}
        self.required_retentions: dict[str, float] = {}
        self.buffers: dict[str, FetchBuffer] = {}
        self.loops: dict[str, Flow] = {}
        self.exclusive = ProcessExclusivity()
        self.crash_marker = CrashMarker(_mark_file(name, settings))
        self.accounts: AccountSource | None = None
        self.lag_metric = LagMetric(name)
        self.parked_metric = ParkedMetric(name)
        self.waiting_metric = WaitingMetric(name)
        self._publisher: BatchPublisher | None = None
        self.fenced = FencedNote(_fenced_file(name, settings))
        self._openers: list[Callable[[], Awaitable[None]]] = []
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._revoked: list[Callable[[], None]] = []
        faust_settings = {**_faust_settings(name, settings), **options}
        make_private_dir(faust_settings["datadir"])
        super().__init__(name, **faust_settings)

    # Building

    def table(self, name: str, *, ttl: int | None, required: float = 0.0) -> None:
        """Add a table that remembers each row for at least `ttl` seconds; None: until it is deleted.

        Its changelog is `<app>-<name>-changelog`.
        `required` is how many seconds the records of its sources rely on a row; a shorter `ttl` is logged.
        """
        if ttl is not None and ttl < required:
            log.warning(
                "table_ttl_too_short",
                detail="rows are forgotten while their records may be worked on: `pipeline doctor` says what to set",
                app=self.conf.id,
                table=name,
                now_seconds=ttl,
                needed_seconds=math.ceil(required),
            )
        options = {"ttl": ttl, **ROCKSDB}
        table = self.Table(name, partitions=self.pipeline.partitions, key_type=bytes, value_type=bytes, options=options)
        store = TableStore(table, self._recovered, lambda: self.consumer_generation_id)
        self.stage_tables.add(name, store, internal=name == PARKED)

    def _recovered(self, tp: TP) -> int:
        recovery: Any = cast(Any, self.tables).recovery
        return int(recovery.active_highwaters.get(tp, NOTHING_RECOVERED))

    def require_retention(self, source: str, seconds: float) -> None:
        """State for how long records of a source may be worked on. A topic that keeps them for less is logged."""
        self.required_retentions[source] = seconds

    def flow(self, source: str, *steps: Stage | Through | ConcurrentStage) -> None:
        """Read `source` through stages: quick ones in a chain, or a single concurrent one."""
        if len(steps) == 1 and isinstance(steps[0], ConcurrentStage):
            stage = steps[0]
            if stage.fairness is not None and PARKED not in self.stage_tables:
                self.table(PARKED, ttl=None)
            make = partial(ConcurrentLoop, stage=stage, group_breaker=partial(self._group_breaker, source))
            self._add(source, make, stage.name)
            return
        for topic, stages in split_hops(source, steps):
            self._add(topic, partial(ChainLoop, stages=stages), *(stage.name for stage in stages))

    def _group_breaker(self, source: str, group: str) -> Breaker:
        return self._breaker(source, group_config(self.breaker_config), group=group)

    def _breaker(self, source: str, config: BreakerConfig | None = None, **named: str) -> Breaker:
        def log_change(cause: str | None) -> None:
            about = {"app": self.conf.id, "source": source, **named}
            if cause is None:
                log.warning("circuit_breaker_closed", **about, detail="the flow accepts records again")
            else:
                detail = "failures are the rule: the flow accepts no records until a retry succeeds"
                log.error("circuit_breaker_opened", cause=cause, **about, detail=detail)

        return Breaker(config or self.breaker_config, log_change)

    def agent(self, *args: Any, **options: Any) -> Callable[[AgentFunction], Any]:
        """Return Faust's decorator. An agent that raises ends the process, and its event is not acknowledged."""
        decorate: Callable[[AgentFunction], Any] = super().agent(*args, **options)
        return lambda function: decorate(crash_on_error(self, function))

    def _add(self, source: str, make: MakeFlow, *stages: str) -> None:
        if source in self.sources:
            raise UsageError(f"app {self.conf.id} has two flows from {source}: chain their stages, or make another app")
        self.sources.add(source)
        self.dead_letters[source] = {PREFIX + stage for stage in stages}
        self.stages[source] = stages
        buffer, breaker = FetchBuffer(), self._breaker(source)
        self.buffers[source] = buffer
        topic = self.topic(source, value_serializer="raw", key_serializer="raw", value_type=bytes, key_type=bytes)

        async def run(_stream: Any) -> None:
            # The stream stays empty: `Consumer` puts the fetches of this topic into `buffer`, and Faust never makes a
            # message of them. An agent is needed all the same. Through it Faust subscribes to the topic, and starts
            # and stops the loop at the right moment. The loop is built here because publisher and consumer exist only
            # now.
            self.loops[source] = loop = make(self._flow_context(), source, buffer, breaker)
            await loop.run()

        self.agent(topic, name=f"{self.conf.id}.{source}")(run)

    def _flow_context(self) -> FlowContext:
        return FlowContext(
            app=self.conf.id,
            publisher=self.publisher,
            assignment=self.kafka_consumer,
            tables=self.stage_tables,
            retries=self.retries,
            accepting=lambda: self.accepting,
            stopping=lambda: bool(self.should_stop),
            crash_marker=self.crash_marker,
            parking_max_bytes=self.pipeline.parking_max_bytes,
        )

    def on_open(self, open_: Callable[[], Awaitable[None]]) -> None:
        """Register a function that is awaited before the app takes a record. After `Unavailable` it is called again."""
        self._openers.append(open_)

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Register a function that closes a resource of the stages. It is called when the app has stopped."""
        self._closers.append(close)

    def on_revoked(self, forget: Callable[[], None]) -> None:
        """Register a function that forgets what is kept in memory about records.

        It is called when partitions were revoked, and again when they are assigned: other workers may have processed
        their records in between.
        """
        self._revoked.append(forget)

    def _forget(self) -> None:
        for forget in self._revoked:
            forget()

    # Running

    @property
    def topic_names(self) -> set[str]:
        """The topics that the app needs to start."""
        changelogs = [table.changelog_topic_name for table in self.tables.values()]
        return self.sources.union(self.plain_topics, changelogs, *self.dead_letters.values())

    @property
    def plain_topics(self) -> set[str]:
        """The topics that plain agents read."""
        return {name for agent in self.agents.values() for name in agent.get_topic_names()} - self.sources

    async def open(self) -> None:
        """Get ready what the stages need before their first record. Raises `Unavailable`, and may be called again."""
        while self._openers:
            await self._openers[0]()
            self._openers.pop(0)

    async def stop(self) -> None:
        await super().stop()
        await self.release()

    async def rest(self) -> None:
        """Take no more records, and commit that the end of this process is to blame on none."""
        if self.started:
            self.kafka_consumer.quarantine.rest(ending=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_COMMIT_TIMEOUT):
                    await self.kafka_consumer.commit_notes()

    def _got_on(self) -> None:
        """Touch the progress file, from which a supervisor sees that this process got work done."""
        if self.pipeline.progress_file is not None:
            with suppress(OSError):
                self.pipeline.progress_file.touch()

    async def release(self) -> None:
        """Close the resources of the stages. An app that was never started needs no more."""
        while self._closers:
            await self._closers.pop()()

    async def wait_until_crashed(self) -> None:
        await self._crashed.wait()

    def crash_cause(self) -> str:
        """Return a description of the error that the app crashed with."""
        return repr(self.crash_reason)

    @cached_property
    def kafka_consumer(self) -> Consumer:
        """The consumer of this app, with its own type."""
        return cast(Consumer, self.consumer)

    @property
    def publisher(self) -> BatchPublisher:
        if self._publisher is None:
            producer = cast(Producer, self.producer)._ensure_producer()
            self._publisher = BatchPublisher(
                producer, partial(max_batch_bytes, self.pipeline.kafka), self.installation.expected
            )
        return self._publisher

    @property
    def accepting(self) -> bool:
        """True while records may be taken: not while partitions move, tables are recovered or the app stops."""
        return bool(self.flow_control.is_active()) and self.kafka_consumer.positioned and not self.should_stop

    @property
    def ready(self) -> bool:
        """True if tables are recovered, partitions are assigned, and the app neither rebalances nor stops.

        True as well while the app is `refused`, because an upgrade goes on to the next worker only then.
        """
        recovered = cast(Any, self.tables).recovery.completed.is_set()
        member = recovered and not (self.rebalancing or self.unassigned)
        return bool(self.started and (member or self.refused) and not self.should_stop)

    @property
    def refused(self) -> bool:
        """True while the app waits for the workers of another version to leave its group."""
        return self.started and self.kafka_consumer.refused

    @property
    def open_breakers(self) -> dict[str, str]:
        """The kind of error that stops a flow from accepting records, by the flow's source."""
        gaps = self.kafka_consumer.off_log.awaiting_operator.values() if self.started else ()
        found = {gap.tp.topic: f"{GAP}: {gap}" for gap in gaps}
        return found | {
            source: cause
            for source, loop in self.loops.items()
            if (cause := loop.breaker.cause or loop.blocked_dead_letters.cause)
        }

    @property
    def open_tenants(self) -> dict[str, dict[str, str]]:
        """The kind of error that opened a breaker of a tenant, by the flow's source and the tenant."""
        return {source: found for source, loop in self._concurrent() if (found := loop.open_tenants)}

    @property
    def full_parking(self) -> list[str]:
        """The sources of the flows that can't park more records, because there is no room."""
        return [source for source, loop in self._concurrent() if loop.parking_is_full]

    @property
    def parked(self) -> dict[str, ParkedView]:
        """The parked records of each flow, by its source."""
        return {source: loop.parked for source, loop in self._concurrent()}

    def waits(self) -> dict[str, Waits]:
        """Return what the records of each flow wait for, by its source."""
        return {source: loop.waits() for source, loop in self._concurrent()}

    def end_hold(self, held: HoldTarget) -> None:
        """Try the records of a fairness key, or of a group, at once, although something holds them."""
        for _, loop in self._concurrent():
            loop.end_hold(held)

    @property
    def own_partitions(self) -> set[int]:
        """The numbers of the partitions that belong to this process. Those of all keyed topics go together."""
        assigned = self.kafka_consumer.assignment() if self.started else ()
        return {tp.partition for tp in assigned if tp.topic in self.sources}

    def _partitions_of(self, source: str) -> set[int]:
        return {tp.partition for tp in self.kafka_consumer.assignment() if tp.topic == source}

    def _concurrent(self) -> Iterator[tuple[str, ConcurrentLoop]]:
        return ((source, loop) for source, loop in self.loops.items() if isinstance(loop, ConcurrentLoop))

    def _show_parked(self) -> None:
        """Set the metrics of parked records, of the partitions that belong to this process."""
        for source, loop in self._concurrent():
            self.parked_metric.add(source, self._partitions_of(source), loop.parked, loop.parking_used)
        self.parked_metric.show()

    def _show_waiting(self) -> None:
        """Set the metrics of waiting records and of what holds them, of the partitions that belong to this process."""
        for source, loop in self._concurrent():
            self.waiting_metric.add(source, self._partitions_of(source), loop.waits())
        waiting, top = self.waiting_metric.show()
        if self.accounts is not None:
            self.accounts.show(waiting, top)

    async def observe(self) -> None:
        """Update liveness with the positions of all partitions.

        While partitions move, or the broker does not answer, no partition counts as stuck. An app whose client has died
        would never get an answer, so it crashes.
        """
        if self.started and not self.should_stop and (error := self._dead_client()):
            await self.crash(error)
        elif self.started:
            consumer, ready = self.kafka_consumer, self.ready
            try:
                async with asyncio.timeout(OBSERVE_TIMEOUT):
                    await (consumer.observe() if ready else consumer.ping_broker())
                    if ready:
                        await update_retention_metric(self.conf.id, consumer, self.retentions)
                        self.lag_metric.set(await consumer.lag(self.work()))
            except (KafkaError, TimeoutError):
                ready = False
                consumer.liveness.broker_unreachable()
            self._show_parked()
            await asyncio.sleep(0)  # each look at a hundred thousand queues takes a while
            self._show_waiting()
            if not ready:
                consumer.liveness.retain(())
                self.lag_metric.retain(consumer.assignment())

    def work(self) -> dict[TP, PartitionWork]:
        """Return the records that the flows have of each assigned partition, by state. Empty unless the app is ready.

        Partitions move while it is not ready, and then nobody has them.
        """
        if not self.ready:
            return {}
        assigned = [TP(*tp) for tp in self.kafka_consumer.assignment() if tp.topic in self.sources]
        found = {tp: each for loop in self.loops.values() for tp, each in loop.work().items()}
        blocked = self.kafka_consumer.blocked
        work = {tp: found.get(tp, PartitionWork()) for tp in assigned}
        return {tp: each.hold() if tp in blocked else each for tp, each in work.items()}

    def _dead_client(self) -> ClientDied | None:
        producer = cast(Producer, self.producer)._ensure_producer()
        return dead_task({**consumer_tasks(self.kafka_consumer.client), **producer_tasks(producer)})

    def idle(self) -> dict[TP, float]:
        """Return the seconds without progress of each partition that is behind."""
        return self.kafka_consumer.liveness.stalled_for() if self.started else {}

    def stuck(self, seconds: float) -> dict[TP, float]:
        """Return the seconds of each partition without progress, or with one try that does not end."""
        if not self.started:
            return {}
        liveness, longest = self.kafka_consumer.liveness, max(seconds, 2 * self.pipeline.handler_timeout)
        idle = {tp: age for tp, age in liveness.stalled_for().items() if age > seconds}
        return {tp: age for tp, age in liveness.running_for().items() if age > longest} | idle

    @property
    def apart(self) -> float | None:
        """Seconds without membership in the group, once they are more than any rebalance takes; else None.

        A member that got no partitions is a member. One that is `refused` waits for others, so a restart is no help.
        """
        if not self.started or self.should_stop or (since := self.kafka_consumer.unassigned_since) is None:
            return None
        if self.kafka_consumer.refused:
            return None
        longest = self.conf.broker_session_timeout + self.conf.broker_rebalance_timeout
        age = self.kafka_consumer.liveness.elapsed_since(since)
        return age if age > longest else None

    def _new_consumer(self) -> Consumer:
        consumer = cast(Consumer, super()._new_consumer())
        consumer.buffers = self.buffers
        consumer.on_forget = self._forget
        consumer.off_log.policy = gap_policy(
            self.conf.id, self.pipeline, lambda: self.installation, lambda: self.publisher, self.stages
        )
        self.exclusive.possible &= len(self.agents) == len(self.sources)
        consumer.guard(self.exclusive, lambda: all(loop.quiet for loop in self.loops.values()))
        consumer.hint = self.crash_marker.crash_hint
        consumer.on_progress = self._got_on
        IN_PROGRESS.labels(self.conf.id).set_function(lambda: sum(len(loop) for loop in self.loops.values()))
        BREAKER_OPEN.labels(self.conf.id).set_function(lambda: len(self.open_breakers))
        return consumer

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)


def _mark_file(name: str, settings: Settings) -> Path | None:
    """Return the file of the crash marker; None for a worker whose name changes, which would not find it again."""
    return settings.data_dir / "running" / f"{name}-{settings.instance_id}" if settings.instance_id else None


def _fenced_file(name: str, settings: Settings) -> Path | None:
    return settings.data_dir / "running" / f"{name}-{settings.instance_id}.fenced" if settings.instance_id else None


def _faust_settings(name: str, settings: Settings) -> dict[str, Any]:
    """Return the Faust settings that the runtime needs. docs/architecture.md has the reasons."""
    return {
        "broker": [f"kafka://{server}" for server in settings.kafka.split(",")],
        "store": "rocksdb://",
        "Table": Table,
        "TableManager": TableManager,
        "PartitionAssignor": TopicAwareAssignor,
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
