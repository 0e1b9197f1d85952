"""Caches and commits on a real Redis: the contract, the same meaning as in memory, and what happens when it is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from pipeline.errors import BackendUnavailable, ConfigurationError, Unavailable
from pipeline.local.redis import RedisServer
from pipeline.state import CacheFactory, CacheScope, MemoryStore, Store, open_store
from pipeline.state.buffer import BufferedRows
from pipeline.state.change import RowChange
from pipeline.state.keys import unit_key
from pipeline.state.redis import RedisStore
from pipeline.state.rows import Rows
from pipeline.state.store import UnitRecord
from tests.support.ports import free_ports
from tests.support.state_contract import StoreContract
from tests.support.state_contract_caches import CachesContract
from tests.support.state_programs import PROGRAMS, Step, run, state
from tests.support.state_race import between_processes, writes
from tests.support.waiting import HANG


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Store]:
    store = open_store("redis", url, Path())
    yield store
    await store.close()


class OnRedis:
    url: str

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.url = redis_server.url


class TestRedisStore(OnRedis, StoreContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Store]:
        async with connected(self.url) as store:
            yield store


class TestRedisCache(OnRedis, CachesContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Rows]:
        async with connected(self.url) as store:
            yield store


class TestRedisCacheInAUnit(OnRedis, CachesContract):
    atomic_answers = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Rows]:
        async with connected(self.url) as store:
            yield BufferedRows(store)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=PROGRAMS, program=PROGRAMS)
def test_redis_means_what_memory_means(redis_server: RedisServer, before: list[Step], program: list[Step]) -> None:
    """If the Lua script meant anything else than the Python, what passed in memory would break in production."""

    async def body() -> None:
        tag, memory = f"{{test-{uuid4().hex}}}", MemoryStore()
        async with connected(redis_server.url) as redis:
            assert await run(redis, before, tag) == await run(memory, before, tag)
            buffered = BufferedRows(redis)
            assert await run(buffered, program, tag) == await run(memory, program, tag)
            await redis.commit(buffered.changes)
            assert await state(redis, tag) == await state(memory, tag)

    asyncio.run(body())


def test_two_workers_count_on_one_row(redis_server: RedisServer) -> None:
    """If increments of two processes overwrote each other, every counter that tenants share would be too low."""

    async def body() -> None:
        key = f"{{test-{uuid4().hex}}}:table:all"
        async with connected(redis_server.url) as one, connected(redis_server.url) as two:
            counted = await asyncio.gather(
                *(store.increment(key, "n", 1, None) for store in (one, two) for _ in range(500))
            )
            assert sorted(number for number in counted if number) == list(range(1, 1001))
            assert await two.field(key, "n") == b"1000"

    asyncio.run(body())


def test_two_processes_lose_no_write(redis_server: RedisServer) -> None:
    """If the later of two workers' writes won, a cart would lose what the other one put in."""
    count, tenant = writes(400), f"race{uuid4().hex[:8]}"
    assert between_processes("redis", redis_server.url, Path(), tenant, count) == count


def test_a_redis_that_forgot_the_script_learns_it_again(redis_server: RedisServer) -> None:
    """If a restarted or failed-over Redis refused commits, every worker would have to be restarted too."""

    async def body() -> None:
        key = f"{{test-{uuid4().hex}}}:a"
        async with connected(redis_server.url) as store:
            await store.put(key, "x", b"1", None)
            async with Redis.from_url(redis_server.url) as client:
                await client.script_flush()
            await store.put(key, "y", b"2", None)
            assert await store.row(key) == {"x": b"1", "y": b"2"}

    asyncio.run(body())


def test_a_wrong_url_is_said_in_one_line() -> None:
    """If a typo in the URL became a traceback, the operator would look for it in our code."""
    with pytest.raises(ConfigurationError, match="PIPELINE_REDIS is not a Redis URL"):
        open_store("redis", "http://127.0.0.1:6379", Path())


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that a test may break."""
    server = RedisServer(tmp_path / "redis", free_ports())
    server.start()
    yield server
    server.stop()


class ClusterNode(RedisServer):
    """The only node of a cluster: it serves every slot, and refuses what spans two."""

    @property
    def argv(self) -> list[str]:
        return [*super().argv, "--cluster-enabled", "yes", "--cluster-port", str(self.port + 1)]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RedisServer]:
    server = ClusterNode(tmp_path / "cluster", free_ports())
    server.start()
    yield server
    server.stop()


async def _serve_all_slots(client: Any) -> None:
    await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    async with asyncio.timeout(HANG):
        while b"cluster_state:ok" not in await client.execute_command("CLUSTER", "INFO"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def test_a_cluster_takes_every_commit(cluster: RedisServer) -> None:
    """If an event's rows, their lists and its record were in two slots, a Redis Cluster would refuse every commit."""

    async def body(store: RedisStore, client: Redis) -> None:
        await _serve_all_slots(client)
        with pytest.raises(ResponseError, match="same slot"):
            await client.mset({"a": 1, "b": 2})
        rows = BufferedRows(store)
        make = CacheFactory(lambda: CacheScope(rows, "a:{b}", "1555"))
        await make.create_user_cache().upsert({"n": 1}, ttl=60)
        await make.create_user_cache(user_id="other").set("k", {"n": 1})
        await make.create_state_cache().upsert("order", {"n": 1}, ttl=60)
        await make.create_ai_state_cache().merge("helper", {"n": 1})
        await make.create_table_cache().create_if_absent("seats", "1A", {"n": 1})
        await make.create_expiry_cache().set("remind", "order", 60)
        await store.commit(rows.changes, UnitRecord(unit_key("a:{b}", "e"), b"[]", 60))
        after = CacheFactory(lambda: CacheScope(store, "a:{b}", "1555"))
        assert await after.create_table_cache().list_pkids("seats") == ["1A"]
        assert await after.create_state_cache().delete_all_for_user() == 1

    on_own(cluster, body)


def on_own(server: RedisServer, body: Callable[[RedisStore, Redis], Awaitable[None]], *, timeout: float = 30.0) -> None:
    async def main() -> None:
        store = RedisStore(server.url, timeout=timeout)
        async with Redis.from_url(server.url) as client:
            await body(store, client)
        await store.close()

    asyncio.run(main())


@pytest.fixture
def replica(own_redis: RedisServer, tmp_path: Path) -> Iterator[RedisServer]:
    """One that follows `own_redis` and has caught up."""
    server = RedisServer(tmp_path / "replica", free_ports())
    server.start()

    async def follow() -> None:
        client: Any
        async with Redis.from_url(server.url) as client:
            await client.execute_command("REPLICAOF", "127.0.0.1", own_redis.port)
            async with asyncio.timeout(HANG):
                while (await client.info("replication"))["master_link_status"] != "up":  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

    asyncio.run(follow())
    yield server
    server.stop()


def test_what_an_event_wrote_is_on_the_replica_before_it_is_over(own_redis: RedisServer, replica: RedisServer) -> None:
    """A failover right after it would forget rows and records that were answered, and the event be handled again."""

    async def body() -> None:
        store = RedisStore(own_redis.url, replicas=1)
        record = UnitRecord("{t}:unit", b"[]", 60)
        try:
            await asyncio.gather(*(store.put(f"{{t}}:{number}", "x", b"1", None) for number in range(50)))
            await store.commit((), record)
            own_redis.kill()
        finally:
            await store.close()
        async with Redis.from_url(replica.url) as client:
            assert await client.get(record.key) == record.content
            assert len(await client.keys("{t}:[0-9]*")) == 50

    asyncio.run(body())


def test_without_enough_replicas_an_event_waits(own_redis: RedisServer) -> None:
    """Its commands would go out, and what it wrote be gone with the master."""

    async def body() -> None:
        store = RedisStore(own_redis.url, replicas=1, timeout=2)
        record = UnitRecord("{t}:unit", b"[]", 60)
        try:
            with pytest.raises(Unavailable, match="0 of 1 replicas"):
                await store.commit((), record)
            with pytest.raises(Unavailable, match="0 of 1 replicas"):
                await store.recorded(record.key)
            assert await store.recorded("{t}:never") is None
        finally:
            await store.close()

    asyncio.run(body())


def test_those_who_wait_for_replicas_share_a_round_trip(own_redis: RedisServer, replica: RedisServer) -> None:
    """A hundred conversations at once would pay for a hundred waits, one behind the other."""
    assert replica.running

    async def body() -> None:
        store = RedisStore(own_redis.url, replicas=1)
        async with Redis.from_url(own_redis.url) as client:
            before = (await client.info("commandstats")).get("cmdstat_wait", {"calls": 0})["calls"]
            await asyncio.gather(*(store.put(f"{{t}}:{number}", "x", b"1", None) for number in range(200)))
            after = (await client.info("commandstats"))["cmdstat_wait"]["calls"]
        await store.close()
        assert after - before <= 4

    asyncio.run(body())


def test_a_redis_that_is_away_is_waited_for(own_redis: RedisServer) -> None:
    """If a dead Redis looked like a bad event, an outage of an hour would dead-letter an hour of messages."""

    async def body(store: RedisStore, _: Redis) -> None:
        await store.put("{t}:a", "x", b"1", None)
        own_redis.kill()
        for call in (store.row("{t}:a"), store.recorded("{t}:unit"), store.ping(), store.remove("{t}:a")):
            with pytest.raises(Unavailable):
                await call
        own_redis.start()
        assert await store.row("{t}:a") == {"x": b"1"}

    on_own(own_redis, body)


@pytest.mark.parametrize(("setting", "value"), [("maxmemory", "1"), ("min-replicas-to-write", "1")])
def test_a_redis_that_refuses_for_now_is_waited_for(own_redis: RedisServer, setting: str, value: str) -> None:
    """If a full Redis, or one without its replicas, looked like a bad event, events would be dead-lettered for it."""

    async def body(store: RedisStore, client: Redis) -> None:
        await store.put("{t}:a", "n", b"1", None)
        await client.config_set(setting, value)
        with pytest.raises(Unavailable, match="refuses for now"):
            await store.commit([RowChange("{t}:a", increments={"n": 1})], UnitRecord("{t}:unit", b"[]", 60))
        await client.config_set(setting, "0")
        assert await store.row("{t}:a") == {"n": b"1"}
        assert await store.recorded("{t}:unit") is None

    on_own(own_redis, body)


@asynccontextmanager
async def answers_lost(port: int) -> AsyncIterator[str]:
    """The URL of a way to Redis on which every command arrives and no answer to an EVALSHA comes back."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        redis_reader, redis_writer = await asyncio.open_connection("127.0.0.1", port)
        while request := await reader.read(65536):
            redis_writer.write(request)
            answer = await redis_reader.read(65536)
            if b"EVALSHA" in request:
                break
            writer.write(answer)
        writer.close()
        redis_writer.close()

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"


def test_a_commit_whose_answer_was_lost_is_found_again(own_redis: RedisServer) -> None:
    """If a commit that was cut off were applied a second time, a bad network would count and send twice."""

    async def body(store: RedisStore, _: Redis) -> None:
        change, record = RowChange("{t}:a", increments={"n": 1}), UnitRecord("{t}:unit", b"mine", 60)
        await store.put("{t}:other", "x", b"1", None)
        async with answers_lost(own_redis.port) as url, connected(url) as cut_off:
            with pytest.raises(Unavailable):
                await cut_off.commit([change], record)
        assert (await store.commit([change], record)).recorded == b"mine"
        assert await store.field("{t}:a", "n") == b"1"

    on_own(own_redis, body)


def test_a_redis_that_hangs_is_waited_for(own_redis: RedisServer) -> None:
    """If a frozen Redis held its callers for ever, a worker would stop without a word."""

    async def body(store: RedisStore, client: Redis) -> None:
        await store.ping()
        await client.client_pause(60_000, all=False)
        impatient = RedisStore(own_redis.url, timeout=0.5)
        with pytest.raises(Unavailable):
            await impatient.put("{t}:a", "x", b"1", None)
        await impatient.close()
        await client.client_unpause()
        await store.put("{t}:a", "x", b"2", None)
        assert await store.field("{t}:a", "x") == b"2"

    on_own(own_redis, body)


def test_many_callers_share_round_trips(own_redis: RedisServer) -> None:
    """If every command took a connection of its own, a hundred conversations would need a hundred of them."""

    async def body(store: RedisStore, client: Redis) -> None:
        rows = await asyncio.gather(*(store.increment(f"{{t}}:{n % 7}", "n", 1, None) for n in range(2000)))
        assert len(rows) == 2000
        clients = [entry for entry in await client.client_list() if entry["cmd"].startswith("eval")]
        assert len(clients) == 1
        waiting = asyncio.create_task(store.row("{t}:1"))
        await asyncio.sleep(0)
        waiting.cancel()
        assert await store.field("{t}:1", "n") == b"286"

    on_own(own_redis, body)


def test_events_that_did_nothing_share_their_commands(own_redis: RedisServer) -> None:
    """If each asked and told Redis alone, a busy status hook would cost a worker a fifth more."""

    async def body(store: RedisStore, client: Redis) -> None:
        names = [f"{{{tenant}}}:unit:{number}" for number in range(100) for tenant in ("a", "b")]
        await store.ping()
        await client.config_resetstat()
        found = await asyncio.gather(*(store.commit((), UnitRecord(name, b"[ ]", 60)) for name in names))
        assert {each.recorded for each in found} == {None}
        assert (await client.info("commandstats"))["cmdstat_eval"]["calls"] == 2, "one for each tenant"
        assert await asyncio.gather(*map(store.recorded, [*names, "{a}:unit:new"])) == [*[b"[ ]"] * 200, None]
        assert (await client.info("commandstats"))["cmdstat_mget"]["calls"] == 2, "one for each tenant"

    on_own(own_redis, body)


def test_an_error_of_a_shared_command_is_everybodys(own_redis: RedisServer) -> None:
    """If only one of them heard of it, the others would wait for ever, and their lanes with them."""

    async def body(store: RedisStore, client: Redis) -> None:
        await client.config_set("maxmemory", 1)
        asked = [store.commit((), UnitRecord(f"{{t}}:unit:{number}", b"[ ]", 60)) for number in range(5)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(each) for each in found] == [BackendUnavailable] * 5

    on_own(own_redis, body)
