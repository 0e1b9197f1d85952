"""What the consumer asks for and what it gives back, where a real group would need luck to show it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import KafkaError, NodeNotReadyError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from pipeline.agents.topology import messenger
from pipeline.messenger.dispatch import Dispatcher
from pipeline.runtime.faust.consumer import Consumer
from pipeline.runtime.faust.consumer_thread import ConsumerThread
from pipeline.runtime.faust.fetch_loop import FetchLoop
from pipeline.runtime.faust.gaps import OffLogPositions
from pipeline.runtime.faust.plain_agent_consumer import PlainAgentConsumer
from pipeline.runtime.flows.commit_callbacks import CommitCallbacks
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.quarantine.quarantine import Quarantine
from pipeline.settings import Settings
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord
from tests.support.waiting import HANG

TP0, TP1 = TP("in", 0), TP("in", 1)


class Client:
    """Stands for aiokafka's consumer: a fetch in whose midst a new assignment comes, or none."""

    _closed = False
    _max_poll_records = None

    def __init__(self, reassigns: bool, lost: Exception | None = None) -> None:
        self._reassigns = reassigns
        self._lost = lost
        self._coordinator = self
        self._subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=object()))
        self._fetcher = self
        self._subscriptions = self
        self.sought: dict[TP, int] = {}

    def check_errors(self) -> None:
        if self._lost is not None:
            raise self._lost

    def fetch_context(self) -> Client:
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    async def fetched_records(self, *_: Any, **__: Any) -> dict[TP, list[TestRecord]]:
        if self._reassigns:
            self._subscription.subscription.assignment = object()
        return {TP0: [TestRecord(b"a", offset=7), TestRecord(b"b", offset=8)]}

    def seek_to(self, tp: TP, offset: int) -> None:
        self.sought[tp] = offset


def _fetch(client: Client, kind: type[AIOKafkaConsumerThread] = ConsumerThread) -> Any:
    thread: Any = object.__new__(kind)
    thread.consumer = SimpleNamespace(flow_active=True)
    return asyncio.run(thread._fetch_records(client, {TP0}, timeout=1.0))


def test_a_fetch_that_a_new_assignment_overtook_gives_its_records_back() -> None:
    """They would be thrown away with what was fetched before, and never be fetched again."""
    client = Client(reassigns=True)
    assert _fetch(client) == {}
    assert client.sought == {TP0: 7}


def test_any_other_fetch_keeps_its_records() -> None:
    """Nothing would ever be consumed."""
    client = Client(reassigns=False)
    assert [record.offset for record in _fetch(client)[TP0]] == [7, 8]
    assert not client.sought


def test_a_client_that_has_lost_its_group_ends_the_worker_which_stock_faust_never_hears_of() -> None:
    """It would go on with partitions that another worker has by now, without a heartbeat, until it is killed."""
    client = Client(reassigns=False, lost=KafkaError("the heartbeat has died"))
    assert _fetch(client, AIOKafkaConsumerThread)
    with pytest.raises(KafkaError, match="the heartbeat has died"):
        _fetch(client)


def test_a_flow_with_a_long_backlog_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign of hours would fill the log with errors about a stream that does not exist, one a second."""
    checked: list[TP] = []
    monkeypatch.setattr(AIOKafkaConsumerThread, "verify_event_path", lambda _self, _now, tp: checked.append(tp))
    thread: Any = object.__new__(ConsumerThread)
    thread.consumer = SimpleNamespace(buffers={"in": FetchBuffer()})
    for tp in (TP0, TP("plain", 0)):
        thread.verify_event_path(1e9, tp)
    assert checked == [TP("plain", 0)]


async def _for_ever() -> None:
    await asyncio.Event().wait()


class Away:
    """Stands for aiokafka's consumer while its broker is away: a real fetch waits to be tried again."""

    _retry_backoff = 3600.0

    def __init__(self, waits: Callable[[], object]) -> None:
        self._waits = waits
        self._client = self
        self._fetch_waiters: set[asyncio.Future[None]] = set()

    async def start(self) -> None:
        self._fetch_task = asyncio.create_task(_for_ever())
        request: Any = SimpleNamespace(topics=())
        self._pending_tasks = {asyncio.create_task(Fetcher._proc_fetch_request(self, None, 1, request))}

    async def send(self, *_: object) -> None:
        asyncio.get_running_loop().call_soon(self._waits)
        raise NodeNotReadyError

    def _invalidate_preferred_read_replica_for_node(self, *_: object) -> None: ...

    async def stop(self) -> None:
        await Fetcher.close(self)


async def _stop_while_away(kind: type[AIOKafkaConsumerThread]) -> None:
    waits = asyncio.Event()
    thread: Any = object.__new__(kind)
    thread._method_queue = None
    thread._consumer = Away(waits.set)
    await thread._consumer.start()
    await waits.wait()
    await thread.on_thread_stop()


def test_a_stop_while_the_broker_is_away_ends_well_where_stock_faust_waits_to_be_killed() -> None:
    """A deployment during an outage of Kafka would take the whole grace period for each worker.

    A cancellation out of here ends stock Faust's thread before it has said so.
    """
    asyncio.run(_stop_while_away(ConsumerThread))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(_stop_while_away(AIOKafkaConsumerThread))


class Quiet:
    """Stands for the thread that talks to Kafka: whoever waits for records there waits in vain."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[set[TP]] = asyncio.Queue()

    async def getmany(self, partitions: set[TP], timeout: float) -> dict[TP, Any]:
        self.asked.put_nowait(partitions)
        if timeout:
            await _for_ever()
        return {}


class Broker:
    """Stands for the same thread: the broker takes a commit, or not, and the group may move meanwhile."""

    def __init__(self, takes: bool, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._takes = takes
        self._meanwhile = meanwhile

    async def commit(self, _: dict[TP, int]) -> bool:
        self._meanwhile()
        return self._takes


def _committing(broker: Callable[[Any], Broker], epoch: int = 3) -> list[int]:
    """Which of the offsets 0 to 2, finished in `epoch`, hear of a commit of position 2, by a consumer in epoch 3."""
    consumer: Any = object.__new__(Consumer)
    consumer.epoch, consumer.buffers, consumer._processed, consumer._delivered = 3, {}, {}, {}
    consumer._callbacks, consumer.on_forget = CommitCallbacks(), lambda: None
    consumer.off_log, consumer.quarantine = (
        OffLogPositions(consumer),
        Quarantine("a-test", consumer, ProcessExclusivity()),
    )
    consumer._thread = broker(consumer)
    told: list[int] = []
    for offset in range(3):
        consumer.when_committed(TP0, offset, epoch, partial(told.append, offset))
    asyncio.run(consumer._commit({TP0: 2}))
    return told


def test_only_what_the_broker_has_committed_counts_as_committed() -> None:
    """What is remembered of a record would be forgotten, and the record delivered again."""
    assert _committing(lambda _: Broker(takes=True)) == [0, 1]
    assert _committing(lambda _: Broker(takes=False)) == []
    assert _committing(lambda consumer: Broker(True, consumer._reset)) == [], "partitions moved in its midst"
    assert _committing(lambda _: Broker(takes=True), epoch=2) == [], "the record is in another's hand by now"


def test_a_full_partition_is_fetched_again_as_soon_as_it_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy partition would stand still for a second, again and again, because another one is quiet."""
    monkeypatch.setattr("pipeline.runtime.faust.fetch_loop.CAPACITY_INTERVAL", 3600.0)
    consumer: Any = object.__new__(Consumer)
    consumer._fetch_loop = FetchLoop(consumer)
    consumer.app = SimpleNamespace(rebalancing=False)
    consumer._is_changelog_tp = lambda _: False
    consumer.off_log = OffLogPositions(consumer)

    async def asked_for() -> tuple[set[TP], set[TP]]:
        backlog, thread = FetchBuffer(limit=2), Quiet()
        consumer.buffers, consumer._thread, consumer.suspend_flow = {"in": backlog}, thread, asyncio.Event()
        backlog.add(TP0, ["a", "b"])
        asking = asyncio.ensure_future(consumer._getmany({TP0, TP1}, 3600.0))
        first = await thread.asked.get()
        backlog.pop(TP0, 2)
        assert await asking == {}
        asking = asyncio.ensure_future(consumer._getmany({TP0, TP1}, 3600.0))
        second = await thread.asked.get()
        asking.cancel()
        return first, second

    assert asyncio.run(asyncio.wait_for(asked_for(), HANG)) == ({TP1}, {TP0, TP1})


def test_what_is_kept_in_memory_is_forgotten_whenever_partitions_may_have_moved() -> None:
    """A number that another worker has sent for meanwhile would have its whole burst again."""
    consumer: Any = object.__new__(Consumer)
    consumer.epoch, consumer._processed, consumer.buffers, consumer._delivered = 0, {}, {}, {}
    consumer.off_log = OffLogPositions(consumer)
    consumer._callbacks = CommitCallbacks()
    consumer.quarantine = Quarantine("a-test", consumer, ProcessExclusivity())
    forgotten: list[int] = []
    consumer.on_forget = lambda: forgotten.append(consumer.epoch)
    consumer._reset()
    assert forgotten == [1]


def test_a_messenger_forgets_what_its_accounts_have_saved_up_when_partitions_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that comes back from another worker would have two bursts in one second."""
    forgotten: list[str] = []
    monkeypatch.setattr(Dispatcher, "reset", lambda _: forgotten.append("once"))

    async def run() -> None:
        app = messenger(Settings(data_dir=tmp_path), Tenants(TenantsFile(tenants=[])))
        try:
            app._new_consumer()._reset()
        finally:
            await app.release()

    asyncio.run(run())
    assert forgotten == ["once"]


def test_nothing_is_taken_while_tables_are_recovered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust resumes the flow to read changelogs: parked records that another worker has sent would be sent again."""

    async def nothing(*_: object) -> None: ...

    async def play() -> list[bool]:
        app = messenger(Settings(data_dir=tmp_path), Tenants(TenantsFile(tenants=[])))
        consumer = app.kafka_consumer
        monkeypatch.setattr(PlainAgentConsumer, "perform_seek", nothing)
        monkeypatch.setattr(PlainAgentConsumer, "on_partitions_revoked", nothing)
        monkeypatch.setattr(Consumer, "_reset", lambda _: None)
        monkeypatch.setattr(Consumer, "assignment", lambda _: set())
        app.flow_control.resume()
        found = [app.accepting]
        await consumer.perform_seek()
        found.append(app.accepting)
        await consumer.on_partitions_revoked(set())
        app.flow_control.resume()
        return [*found, app.accepting]

    assert asyncio.run(play()) == [False, True, False]
