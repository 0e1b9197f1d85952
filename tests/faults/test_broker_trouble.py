"""The broker stands still, or dies of a full disk, under load: refusals at the door, held work, and recovery."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import psutil
import pytest
from aiohttp import ClientOSError, ClientSession, ClientTimeout, ServerDisconnectedError, TCPConnector

from pipeline.local.kafka import Kafka
from pipeline.runtime.kafka.admin import create
from pipeline.topics.catalogue import RAW
from tests.integration.ingress_process import post, started
from tests.integration.runtime_client import Site, numbered, site
from tests.integration.test_ingress import count, ids_since, message, offsets, post_for_ever, ready
from tests.support.cloud_webhooks import signature, text, value, webhook
from tests.support.ingress_client import CLOUD, JSON, Client, ingress
from tests.support.ports import free_ports
from tests.support.stacks import eventually
from tests.support.waiting import HANG, until

FLOOD, BODY = 2_500, 96 * 1024
"""Connections at once, and bytes of the webhook on each: four times what the door holds."""
GROWTH = 250.0
"""MiB by which any flood may make the ingress grow. Without a bound on its connections this one takes 390."""
DEADLINE = 3.0
"""Seconds that the door gives the broker."""
STANDSTILL = DEADLINE + 1
"""Seconds."""
WAITING = 30_000
"""Records for the worker: it is in the midst of them when the disk is full."""


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    asyncio.run(create(kafka.bootstrap, [RAW], partitions=8, replication=1))
    with site(kafka.bootstrap, tmp_path) as made:
        yield made


def test_while_the_broker_stands_still_the_door_refuses_a_flood_and_the_worker_waits(kafka: Kafka, place: Site) -> None:
    """A flood in a bad minute would end the ingress, and every worker would die of a broker that comes back."""
    port = free_ports()
    with started(kafka.bootstrap, port, place.directory, deadline=DEADLINE) as process:
        worker, before = place.ready("chained"), _mebibytes(process.pid)
        place.feed(numbered(keys=10, each=10))
        psutil.Process(kafka.pid).suspend()
        try:
            until_then = time.monotonic() + STANDSTILL
            answers, peak = asyncio.run(_flood(port, process.pid))
            time.sleep(max(0.0, until_then - time.monotonic()))
        finally:
            psutil.Process(kafka.pid).resume()
        assert set(answers) == {(503, True)}, "every one of them is answered, and told when to come again"
        assert peak - before < GROWTH
        eventually(lambda: asyncio.run(post(port, message("wamid.after"))) == 200, "it takes webhooks again")
        place.wait_committed()
        worker.wait_ready()  # the standstill may have cost it its place in the group for a moment


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
def test_a_broker_that_dies_of_a_full_disk_has_every_200_and_what_the_worker_had_in_hand(
    kafka: Kafka, place: Site
) -> None:
    """Webhooks that the provider believes taken, or outputs that were on their way, would be gone after it."""
    orders = numbered(keys=100, each=WAITING // 100)
    place.feed(orders)
    worker = place.start("chained", PIPELINE_INSTANCE_ID="one")
    place.wait_written(1_000)
    try:
        asyncio.run(_full_disk(kafka))
    finally:
        if not kafka.running:
            kafka.start()
    if worker.ended:  # it could not finish what it had taken, so it leaves it to the next
        place.start("chained", PIPELINE_INSTANCE_ID="one")
    place.wait_committed()
    assert set(place.ids()) == {order["id"] for _, order in orders}
    assert place.in_order()


async def _full_disk(kafka: Kafka) -> None:
    """The broker can't write any more, and ends; comes back with room. All the while webhooks are posted."""
    taken: dict[str, int] = {}
    async with ingress(kafka.bootstrap, ingress_deadline=DEADLINE) as client:
        await ready(client)
        start = await offsets(kafka.bootstrap)
        posting = asyncio.create_task(post_for_ever(client, taken))
        await until(lambda: count(taken, 200) > 300)
        psutil.Process(kafka.pid).rlimit(psutil.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        await until(lambda: not kafka.running)
        await until(lambda: count(taken, 503) > 50)
        await _refuses(client)
        await asyncio.to_thread(kafka.start)
        back = count(taken, 200)
        await until(lambda: count(taken, 200) > back + 300)
        posting.cancel()
        with suppress(asyncio.CancelledError):
            await posting
        assert (await client.get("/healthz"))[0] == 200
    published = await ids_since(kafka.bootstrap, start)
    assert not {each for each, answer in taken.items() if answer == 200} - published
    assert set(taken.values()) == {200, 503}


async def _refuses(client: Client) -> None:
    """At once, so that nothing of it waits for the broker; and it says so to whoever asks."""
    publisher = client.ingress.publisher
    waiting = publisher.unacknowledged
    assert await client.signed(message("wamid.refused")) == 503
    assert publisher.unacknowledged <= waiting
    assert (await client.get("/readyz"))[0] == 503


async def _flood(port: int, pid: int) -> tuple[Counter[tuple[int, bool]], float]:
    """Everybody at once: statuses, with whether they say when to come again; and the most that the ingress held."""
    peaks: list[float] = []
    watching = asyncio.create_task(_watch(pid, peaks))
    url = f"http://127.0.0.1:{port}"
    async with ClientSession(url, connector=TCPConnector(limit=0), timeout=ClientTimeout(HANG)) as session:
        answers = await asyncio.gather(*(_one(session, number) for number in range(FLOOD)))
    watching.cancel()
    return Counter(answers), max(peaks)


async def _one(session: ClientSession, number: int) -> tuple[int, bool]:
    long = text(f"wamid.flood.{number}", f"1555{number:07d}", "x" * BODY)
    body = orjson.dumps(webhook(value(messages=[long])))
    headers = JSON | {"X-Hub-Signature-256": signature(body, "sandbox-app-secret")}
    while True:
        # A place is taken from whoever has not written yet, which is everybody of a flood that is slow to write.
        with suppress(ClientOSError, ServerDisconnectedError):
            async with session.post(CLOUD, data=body, headers=headers) as answer:
                return answer.status, "Retry-After" in answer.headers


async def _watch(pid: int, peaks: list[float]) -> None:
    while True:
        peaks.append(_mebibytes(pid))
        await asyncio.sleep(0.05)


def _mebibytes(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 2**20
