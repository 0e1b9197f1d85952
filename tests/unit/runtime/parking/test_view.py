"""Parked records as people see them: sizes, ages, causes, pages, and the metrics made of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import ClientSession
from prometheus_client import REGISTRY

from pipeline import masking
from pipeline.cli._worker_check import describe
from pipeline.metrics import TOP
from pipeline.parked import find
from pipeline.parked.find import ParkedKey, find_parked
from pipeline.parked.format import as_table
from pipeline.runtime.faust.app import PipelineApp
from pipeline.runtime.flows.breaker import BreakerConfig
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.parking import view
from pipeline.runtime.parking.metric import ParkedMetric
from pipeline.runtime.parking.queues import ParkedSize
from pipeline.runtime.process.health import HealthServer
from pipeline.runtime.process.lag import PartitionWork
from tests.support.loop_stand_ins import TP0, FakeApp
from tests.unit.runtime.parking.scene import Site, app_of, play, record, rows, until

NUMBER = "491771234567"
LOOK = 31
"""Seconds after which records that wait have left the window."""


@pytest.fixture(autouse=True)
def mask_key() -> Iterator[None]:
    """A key of masks that workers and commands of a test share."""
    masking.configure("a key of a test's own", None)
    yield
    masking.configure(None, None)


def series(name: str) -> dict[tuple[str, ...], float]:
    """The values of a metric's series of the app `a-test`, by their other labels."""
    found = (sample for metric in REGISTRY.collect() for sample in metric.samples if sample.name == name)
    return {
        tuple(value for label, value in each.labels.items() if label != "app"): each.value
        for each in found
        if each.labels["app"] == "a-test"
    }


def test_the_age_is_that_of_the_first_record_also_after_a_restart_and_while_it_drains() -> None:
    """An account that is away for an hour would look as if it were for a second, or one that is back as away."""
    site = Site(concurrency=1)

    def ages(loop: ConcurrentLoop) -> list[int | None]:
        return [state.oldest for state in loop.parked.page(None, 10)]

    async def fill(app: FakeApp, loop: ConcurrentLoop) -> None:
        keys = ["t/away", "t/away2"]
        loop.buffer.add(TP0, [record(keys[n % 2], n, n) for n in range(5, 1_205)])
        await asyncio.sleep(LOOK)
        assert sorted(age or 0 for age in ages(loop)) == [5_000, 6_000]
        assert loop.parked.sizes()[0]._replace(size=0) == ParkedSize(1_200, 0, 5_000)

    async def drain(app: FakeApp, loop: ConcurrentLoop) -> None:
        await until(lambda: len(ages(loop)) == 2)
        assert sorted(age or 0 for age in ages(loop)) == [5_000, 6_000]
        site.away = False
        await until(lambda: 300 < len(site.done) < 1_100)
        done, oldest = {int(value.split()[1]) for value in site.done}, loop.parked.sizes()[0].oldest
        first = min(set(range(5, 1_205)) - done)
        assert oldest is not None
        assert (first - 60) * 1_000 <= oldest <= first * 1_000, "the rows of the last batch may still be there"
        await until(lambda: not rows(app))
        assert loop.parked.sizes() == {}
        assert loop.parked.page(None, 10) == []

    app = app_of()
    play(app, site, fill)
    positions, app.assignment = app.assignment.positions, type(app.assignment)()
    app.assignment.positions.update(positions)
    assert positions[TP0] == 1_205
    play(app, site, drain)


def test_no_look_reads_more_rows_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand conversations of a broken tenant would block the worker's event loop at every look."""
    monkeypatch.setattr(view, "MAX_LOOKUPS", 3)
    site = Site()

    async def scene(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(f"t/away{n % 10}", n, n) for n in range(1_000)])
        await asyncio.sleep(LOOK)
        for queue in loop._window._parking.queues():  # type: ignore[union-attr]
            queue.oldest_from, queue.oldest = -1, None
        looks = [loop.parked.sizes()[0].oldest for _ in range(5)]
        assert looks[-1] == 0
        unknown = [state.oldest for state in loop.parked.page(None, 10)]
        assert None not in unknown, "four looks of three find all ten"

    play(app_of(), site, scene)


def test_what_is_parked_is_held_and_what_runs_of_it_is_sendable() -> None:
    """An account that is away would ask for workers; the drain of a backlog for none."""
    site = Site(concurrency=1)

    async def scene(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record("t/away", n, n) for n in range(900)])
        await asyncio.sleep(LOOK)
        work = loop.work()[TP0]
        assert (work.runnable, work.held, work.parked, work.loaded) == (0, 0, 900, 0)
        assert (work.oldest_held, work.oldest_runnable) == (0, None)
        site.away = False
        await until(lambda: len(site.done) > 100)
        work = loop.work()[TP0]
        assert work.loaded > 10
        assert work.loaded + work.parked <= 900 - len(site.done) + 1, "one may run whose row is gone"
        assert work.oldest_runnable is not None
        await until(lambda: not rows(app))
        assert loop.work()[TP0] == PartitionWork()
        app.assignment.epoch += 1
        assert loop.work() == {}

    play(app_of(), site, scene)


def test_metrics_name_accounts_of_the_most_records_and_never_a_conversation() -> None:
    """A customer's number would be in every dashboard; or a thousand accounts would be a thousand series."""
    site, accounts, metric = Site(), TOP + 5, ParkedMetric("a-test")

    async def scene(app: FakeApp, loop: ConcurrentLoop) -> None:
        keys = [f"t/cloud:away{n}:{NUMBER}" for n in range(accounts) for _ in range(n + 1)]
        loop.buffer.add(TP0, [record(key, n, n) for n, key in enumerate(keys)])
        await asyncio.sleep(LOOK)
        metric.add("in", {0, 1}, loop.parked, loop.parking_used)
        metric.show()
        assert series("pipeline_parked_records") == {("in", "0"): len(keys), ("in", "1"): 0}
        assert series("pipeline_parked_bytes")["in", "0"] > len(keys) * 10
        assert series("pipeline_parked_seconds")["in", "0"] > 1e9, "the first record is of 1970"
        assert 0 < series("pipeline_parking_used_ratio")["in",] < 1
        tops = series("pipeline_parked_top_records")
        assert tops == {("t", f"t/cloud:away{n}"): n + 1 for n in range(5, accounts)}
        assert set(series("pipeline_parked_top_seconds")) == set(tops)
        assert NUMBER not in str(tops)

        metric.add("in", {1}, loop.parked, loop.parking_used)
        metric.show()
        assert series("pipeline_parked_records") == {("in", "1"): 0}, "the partition has another worker"
        assert series("pipeline_parked_top_records") == {}
        metric.show()
        assert not any(
            map(series, ("pipeline_parked_records", "pipeline_parked_seconds", "pipeline_parking_used_ratio"))
        )

    play(app_of(), site, scene)


class Worker:
    """A worker's health server over one loop."""

    def __init__(self, loop: ConcurrentLoop, app: str = "messenger") -> None:
        open_tenants = {"in": dict(loop.breakers.open_groups)} if loop.breakers.open_groups else {}
        full = ["in"] if loop.parking_is_full else []
        self.app = SimpleNamespace(
            conf=SimpleNamespace(id=app),
            parked={"in": loop.parked},
            ready=True,
            refused=False,
            open_breakers={},
            open_tenants=open_tenants,
            full_parking=full,
            idle=dict,
        )
        self.app.observe = lambda: asyncio.sleep(0)
        self._server = HealthServer(cast(list[PipelineApp], [self.app]), "127.0.0.1", 0, 1e6)

    async def __aenter__(self) -> str:
        return f"http://127.0.0.1:{await self._server.start()}"

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()


async def get(url: str) -> tuple[int, Any]:
    async with ClientSession() as session, session.get(url) as response:
        return response.status, await response.json() if "json" in response.content_type else await response.text()


def ask(app: FakeApp, site: Site, scene: Callable[[Worker], Coroutine[Any, Any, None]], *keys: str) -> None:
    """Park records of these keys in virtual time, then let a scene ask for them over HTTP."""

    async def fill(_: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record(keys[n % len(keys)], n, n) for n in range(2 * len(keys) + 1_100)])
        await asyncio.sleep(LOOK)
        worker = Worker(loop)
        until, cause = loop.parked._holds.state(("t", keys[0]))
        loop.parked._holds = SimpleNamespace(state=lambda _: (until, cause))  # type: ignore[assignment]
        workers.append(worker)

    workers: list[Worker] = []
    play(app, site, fill, BreakerConfig(consecutive=20))
    asyncio.run(scene(workers[0]))


def test_every_key_is_shown_page_by_page_and_masked() -> None:
    """A key on the second page would never be seen; a customer's number would be on the screen of whoever asks."""
    keys = [f"t/cloud:away{n}:{NUMBER}" for n in range(7)]

    async def scene(worker: Worker) -> None:
        found, cursor, pages = [], "", 0
        async with worker as url:
            while True:
                status, page = await get(f"{url}/parked?limit=3{cursor}")
                assert status == 200
                found += page["queues"]
                pages += 1
                if page["next"] is None:
                    break
                cursor = f"&cursor={page['next']}"
            assert [len(found), pages] == [7, 3]
            assert sum(each["records"] for each in found) == 2 * 7 + 1_100
            first = found[0]
            assert first["cause"] == "KeyUnavailable: account cloud:1 is away"
            assert 0 <= first["held_seconds"] <= 60
            assert {each["key"].rpartition(":")[0] for each in found} == {key.rpartition(":")[0] for key in keys}
            assert NUMBER not in str(found) + cursor
            assert (await get(f"{url}/parked?tenant=nobody"))[1] == {"queues": [], "next": None}
            assert len((await get(f"{url}/parked?tenant=t&app=messenger"))[1]["queues"]) == 7
            assert (await get(f"{url}/parked?app=intake"))[1]["queues"] == []
            for wrong in ("limit=0", "limit=many", "limit=1001", "cursor=1", "cursor=a/b/c/d"):
                assert (await get(f"{url}/parked?{wrong}"))[0] == 400
            assert (await get(f"{url}/parked?reveal=1"))[0] == 403

    ask(app_of(), Site(), scene, *keys)


def test_the_command_asks_for_all_pages_and_reveals_keys_to_who_has_the_key_of_masks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever can reach a worker's port would read the numbers of all customers who wait; or the operator none."""
    monkeypatch.setattr(find, "PAGE", 2)
    keys = [f"t/cloud:away{n}:{NUMBER}" for n in range(5)]

    async def scene(worker: Worker) -> None:
        async with worker as url:
            masked, revealed = await find_parked([url]), await find_parked([url], reveal=True)
            assert sorted(queue.key for queue in revealed.queues) == keys
            assert NUMBER not in str(masked)
            assert [queue.records for queue in masked.queues] == [queue.records for queue in revealed.queues]
            ages = [queue.oldest_seconds or 0.0 for queue in masked.queues]
            assert ages == sorted(ages, reverse=True)
            answering = masking.masker().proof
            masking.configure("another key of masks", None)
            assert masking.masker().proof() != answering()
            headers = {"Authorization": f"Bearer {masking.masker().proof()}"}
            masking.configure("a key of a test's own", None)
            async with ClientSession(headers=headers) as session, session.get(f"{url}/parked?reveal=1") as refusal:
                assert refusal.status == 403
            monkeypatch.setattr(masking.Masker, "proof", lambda _: "guessed" + str(next(numbers)))
            refused = await find_parked([url], reveal=True)
            assert refused.queues == []
            assert "PIPELINE_MASK_KEY" in refused.silent[url]

    numbers = count()
    ask(app_of(), Site(), scene, *keys)


def test_readiness_and_metrics_name_the_tenant_and_the_worker_stays_ready() -> None:
    """One tenant's bug would take the worker of all others out of service, or nobody would learn whose it is."""

    async def scene(worker: Worker) -> None:
        async with worker as url:
            body = {"status": "ok", "failing_tenants": {"messenger": {"in": {"t": "RuntimeError"}}}}
            assert await get(f"{url}/readyz") == (200, body | {"parking_full": {"messenger": ["in"]}})
            assert 'pipeline_tenant_breaker_open{app="messenger",tenant="t"} 1.0' in (await get(f"{url}/metrics"))[1]
            worker.app.open_breakers = {"in": "Unavailable"}
            status, found = await get(f"{url}/readyz")
            assert (status, found["stopped"]) == (503, {"messenger": {"in": "Unavailable"}})
            assert list(describe(found)) == [
                "messenger takes nothing from in (Unavailable): end the cause",
                "messenger: the records of tenant t fail (RuntimeError) and wait: correct its handler or its host",
                "messenger can park no more of in: see `pipeline parked`, or raise PIPELINE_PARKING_MAX_BYTES",
            ]
            worker.app.open_breakers = worker.app.open_tenants = worker.app.full_parking = {}
            worker.app.refused = True
            status, found = await get(f"{url}/readyz")
            assert (status, found) == (200, {"status": "ok", "other_version": ["messenger"]})
            assert list(describe(found)) == [
                "messenger waits until the workers of an older version have left its group: end those"
            ]
            worker.app.refused = False
            assert await get(f"{url}/readyz") == (200, {"status": "ok"})
            assert "pipeline_tenant_breaker_open{" not in (await get(f"{url}/metrics"))[1]

    ask(app_of(20_000), Site(), scene, *(f"t/broken{n}" for n in range(700)))


def test_the_table_says_what_each_key_waits_for() -> None:
    """Nobody would see which of a hundred keys is the one that is away, and until when."""
    queues = [
        ParkedKey("messenger", "commands.bulk", 3, "acme", "cloud:1", 1_200, 5_000_000, 7_300, 0, 42.4, "paused"),
        ParkedKey("handlers-vip", "events.vip", 0, "globex", "cloud:2:~0123456789ab", 7, 900, None, 7),
        ParkedKey("handlers-vip", "events.vip", 0, "globex", "", 1, 90, 3),
    ]
    assert list(as_table(queues)) == [
        "APP           TENANT  KEY                    RECORDS     SIZE  OLDEST  STATE",
        "messenger     acme    cloud:1                  1,200  4.8 MiB   2.0 h  held, next try in 42 s: paused",
        "handlers-vip  globex  cloud:2:~0123456789ab        7    900 B       ?  in work",
        "handlers-vip  globex  (several)                    1     90 B     3 s  waits for its turn",
        "parked: 1,208 records of 3 keys, 4.8 MiB",
    ]
    assert list(as_table([])) == ["parked: 0 records of 0 keys, 0 B"]
