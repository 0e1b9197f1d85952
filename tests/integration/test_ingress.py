"""The ingress on a real Kafka: what 200 promises, and what is never published."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from chaos.flood.campaign import campaign
from pipeline.errors import OversizeRecord, Unavailable
from pipeline.ingress.connection import Timeouts
from pipeline.ingress.publisher import WebhookPublisher
from pipeline.local.kafka import Kafka
from pipeline.providers import PROVIDERS
from pipeline.runtime.kafka import compacted
from pipeline.runtime.kafka.admin import create
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.topics.catalogue import INSTALLATION, RAW, Topic
from pipeline.topics.installation import partitions_record
from pipeline.topics.records import Record
from tests.integration.ingress_process import post, started
from tests.integration.installation import delete
from tests.integration.runtime_client import raise_partitions
from tests.support.cloud_webhooks import NUMBER, contact, signature, status, text, value, webhook
from tests.support.ingress_client import CLOUD, Client, ingress
from tests.support.ingress_peer import Peer
from tests.support.ports import free_ports
from tests.support.waiting import HANG, until
from tests.unit.ingress import test_ingress_fairness as fairness


@pytest.fixture(scope="module")
def bootstrap(kafka: Kafka) -> str:
    """A broker that has the topic."""
    asyncio.run(create(kafka.bootstrap, [RAW], partitions=8, replication=1))
    return kafka.bootstrap


def run(bootstrap: str, test: Callable[[Client, Tail], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with tail(bootstrap) as records, ingress(bootstrap, **options) as client:
            await ready(client)
            await test(client, records)

    asyncio.run(main())


async def ready(client: Client) -> None:
    async with asyncio.timeout(HANG):
        while (await client.get("/readyz"))[0] != 200:  # noqa: ASYNC110 (the condition is another process')
            await asyncio.sleep(0.05)


class Tail:
    """The end of the topic: what has come since it was made."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def records(self) -> list[Any]:
        """Everything up to the offsets that the broker has now."""
        partitions = self._consumer.assignment()
        ends = await self._consumer.end_offsets(partitions)
        found = []
        while any([await self._consumer.position(each) < ends[each] for each in partitions]):
            for many in (await self._consumer.getmany(timeout_ms=500)).values():
                found += many
        return found


@asynccontextmanager
async def tail(bootstrap: str) -> AsyncIterator[Tail]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(RAW.name, each) for each in consumer.partitions_for_topic(RAW.name) or ()]
        partitions = partitions or [TopicPartition(RAW.name, each) for each in range(8)]
        consumer.assign(partitions)
        await consumer.seek_to_end()
        for each in partitions:
            await consumer.position(each)
        yield Tail(consumer)
    finally:
        await consumer.stop()


def message(message_id: str, sender: str = "15550001111") -> bytes:
    return orjson.dumps(webhook(value(contacts=[contact(sender)], messages=[text(message_id, sender)])))


def test_200_means_it_is_on_the_topic(bootstrap: str) -> None:
    """A webhook could be lost after its provider was told that it was taken."""

    async def test(client: Client, topic: Tail) -> None:
        body, before = message("wamid.1"), time.time_ns() // 1_000_000
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        assert await client.signed(body, traceparent=trace, authorization="Bearer secret", cookie="secret") == 200
        (record,) = await topic.records()
        headers = dict(record.headers)
        assert (record.key, record.value) == (f"cloud:{NUMBER}:15550001111".encode(), body)
        assert record.partition == partition_of(record.key, 8)
        assert before <= int(headers.pop("received-at")) <= time.time_ns() // 1_000_000
        assert headers.pop("webhook-id").startswith(b"wh-")
        named = {"provider": "cloud", "account": NUMBER, "tenant": "acme", "traceparent": trace}
        assert headers == {name: text.encode() for name, text in named.items()}
        (event,) = PROVIDERS["cloud"].parse(record)
        assert event.event_id == f"cloud:{NUMBER}:wamid.1"

    run(bootstrap, test)


def test_a_webhook_of_two_people_is_two_records_of_one_webhook(bootstrap: str) -> None:
    """Two people would share an order, or one of them would be lost."""

    async def test(client: Client, topic: Tail) -> None:
        messages = [text("wamid.1", "1"), text("wamid.2", "2"), text("wamid.3", "1")]
        body = orjson.dumps(webhook(value(messages=messages), value(statuses=[status("wamid.O", recipient="2")])))
        assert await client.signed(body) == 200
        records = await topic.records()
        found = {record.key: dict(record.headers) for record in records}
        assert set(found) == {f"cloud:{NUMBER}:1".encode(), f"cloud:{NUMBER}:2".encode()}
        assert {headers["slice"] for headers in found.values()} == {b"1/2", b"2/2"}
        assert len({headers["webhook-id"] for headers in found.values()}) == 1
        assert sum(len(list(PROVIDERS["cloud"].parse(record))) for record in records) == 4

    run(bootstrap, test)


def test_a_redelivery_has_the_same_id(bootstrap: str) -> None:
    """Nobody could tell a redelivery from a second webhook."""

    async def test(client: Client, topic: Tail) -> None:
        assert [await client.signed(message("wamid.1")) for _ in range(3)] == [200] * 3
        records = await topic.records()
        assert len({dict(record.headers)["webhook-id"] for record in records}) == 1

    run(bootstrap, test)


def test_what_is_forged_leaves_no_record(bootstrap: str) -> None:
    """Anybody could write to a tenant's customers, or fill the topic."""

    async def test(client: Client, topic: Tail) -> None:
        body = message("wamid.1")
        bad = [{}, {"x_hub_signature_256": signature(body, "wrong")}, {"x_hub_signature_256": signature(body[:-1])}]
        assert [(await client.post(body, **headers))[0] for headers in bad] == [401] * 3
        assert (await client.post(body[:-1], x_hub_signature_256=signature(body)))[0] == 401
        assert (await client.post(body, CLOUD + "/acme", x_hub_signature_256=signature(body)))[0] == 404
        headers = {"Content-Type": "text/plain", "X-Hub-Signature-256": signature(body)}
        async with client.session.post(CLOUD, data=body, headers=headers) as response:
            assert response.status == 415
        assert await client.signed(b" " * 5000) == 413
        assert await topic.records() == []

    run(bootstrap, test, body_limit=4000)


@pytest.mark.parametrize("body", [b"not json", b"", b"[]", b'{"entry":[{"changes":5}]}'], ids=str)
def test_authentic_bytes_are_taken_whatever_they_are(bootstrap: str, body: bytes) -> None:
    """The provider would send it again for seven days, and nobody would ever see what it was."""

    async def test(client: Client, topic: Tail) -> None:
        assert await client.signed(body) == 200
        assert [record.value or b"" for record in await topic.records()] == [body]

    run(bootstrap, test)


def test_the_largest_webhook_fits(bootstrap: str) -> None:
    """A full batch would be refused for seven days."""

    async def test(client: Client, topic: Tail) -> None:
        body = message("wamid.1").replace(b"Hello", b"x" * (3 * 1024 * 1024 - 1000))
        assert await client.signed(body) == 200
        assert [record.value for record in await topic.records()] == [body]

    run(bootstrap, test)


def test_order_of_arrival_is_order_on_the_topic(bootstrap: str) -> None:
    """A person's messages would be answered in another order than they were written."""

    async def test(client: Client, topic: Tail) -> None:
        ids = [f"wamid.{n}" for n in range(50)]
        for each in ids:
            assert await client.signed(message(each)) == 200
        events = [event for record in await topic.records() for event in PROVIDERS["cloud"].parse(record)]
        assert [event.body["message"]["id"] for event in events] == ids

    run(bootstrap, test)


def count(taken: dict[str, int], answer: int) -> int:
    return sum(each == answer for each in taken.values())


async def post_for_ever(client: Client, taken: dict[str, int]) -> None:
    """Sixteen callers; each answer is noted under the message's id."""

    async def post(caller: int) -> None:
        for n in range(1_000_000):
            message_id = f"wamid.{caller}.{n}"
            taken[message_id] = await client.signed(message(message_id, f"1555{caller:04d}{n % 50:03d}"))
            if taken[message_id] == 503:
                await asyncio.sleep(0.05)

    await asyncio.gather(*(post(caller) for caller in range(16)))


async def offsets(bootstrap: str) -> dict[TopicPartition, int]:
    async with tail(bootstrap) as now:
        ends: dict[TopicPartition, int] = await now._consumer.end_offsets(now._consumer.assignment())
        return ends


async def ids_since(bootstrap: str, start: dict[TopicPartition, int]) -> set[str]:
    async with tail(bootstrap) as topic:
        for partition, offset in start.items():
            topic._consumer.seek(partition, offset)
        events = [event for record in await topic.records() for event in PROVIDERS["cloud"].parse(record)]
        return {event.body["message"]["id"] for event in events}


def test_a_producer_that_gave_a_batch_up_ends_the_process(bootstrap: str, tmp_path: Path) -> None:
    """Every later webhook of that partition would be refused for ever, and nobody would start a new process."""
    port = free_ports()
    limit = "3000"
    asyncio.run(limit_records(bootstrap, limit))
    try:
        with started(bootstrap, port, tmp_path) as process:
            assert asyncio.run(post(port, message("wamid.1").replace(b"Hello", b"x" * 5000))) == 413
            assert process.wait(HANG) == 1
        assert "a new process has to begin" in (tmp_path / "ingress.log").read_text()
    finally:
        asyncio.run(limit_records(bootstrap, RAW.config()["max.message.bytes"]))


async def limit_records(bootstrap: str, limit: str) -> None:
    """What the broker takes for one record of the topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        config = RAW.config() | {"max.message.bytes": limit}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, RAW.name, config)])
    finally:
        await admin.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
def test_it_stops_in_time_and_with_everything_answered(bootstrap: str, tmp_path: Path, number: signal.Signals) -> None:
    """A rolling update would cut webhooks off, or be killed by the platform."""
    port = free_ports()
    with started(bootstrap, port, tmp_path) as process:
        answers = asyncio.run(stopped_under_load(port, process, number))
        assert process.wait(HANG) == 0
    assert set(answers) <= {200}
    assert len(answers) > 20


def test_authentic_webhooks_are_answered_through_a_flood_of_silence(bootstrap: str, tmp_path: Path) -> None:
    """A thousand sockets of somebody without a secret would shut the door to every provider."""
    port = free_ports()
    with started(bootstrap, port, tmp_path):
        figures = asyncio.run(campaign(port, seconds=5, sockets=1_200, deadline=60))
    assert figures.withstood, figures
    assert sum(figures.answers.values()) >= 50
    assert figures.opened >= 1_200


def test_a_flood_of_authentic_webhooks_leaves_another_tenant_its_place(bootstrap: str) -> None:
    """One tenant whose provider delivers a day at once would shut the ingress for all the others."""

    async def test(client: Client, topic: Tail) -> None:
        flood, others, taken = await flooded(client, callers=400, webhooks=6_000, others=15)
        assert others == [200] * 15
        assert taken < 6_000, "all of the other's were answered before the end of the flood"
        assert set(flood) <= {0, 200, 503}
        accounts = [dict(record.headers)["account"] for record in await topic.records()]
        assert accounts.count(fairness.OTHER.encode()) == 15
        assert accounts.count(fairness.FLOOD.encode()) >= flood[200]

    limits = {"ingress_connections": 300, "ingress_connections_per_client": 300, "max_publishing": 8}
    run(bootstrap, test, owners=fairness.tenants(), timeouts=Timeouts(body=2 * HANG, place=2 * HANG), **limits)


async def flooded(client: Client, callers: int, webhooks: int, others: int) -> tuple[Counter[int], list[int], int]:
    """Let `callers` of one tenant post as many webhooks, each by a new connection, and another tenant a few meanwhile.

    Return the answers to the flood, those to the other tenant, and how many of the flood were answered before them.
    """
    answers: Counter[int] = Counter()

    async def post(number: str, name: str) -> int:
        try:
            peer = await Peer.of(client, fairness.request(number, name))
        except ConnectionError:
            return 0
        status = await peer.status()
        peer.close()
        return status

    async def caller(who: int) -> None:
        for n in range(webhooks // callers):
            answers[await post(fairness.FLOOD, f"wamid.{who}.{n}")] += 1

    flood = [asyncio.create_task(caller(who)) for who in range(callers)]
    await until(lambda: answers.total() > callers)
    found = [await post(fairness.OTHER, f"wamid.other.{n}") for n in range(others)]
    taken = answers.total()
    await asyncio.gather(*flood)
    return answers, found, taken


async def stopped_under_load(port: int, process: subprocess.Popen[bytes], number: signal.Signals) -> list[int]:
    """The answers to every request that got one; a connection that is refused got none and was promised nothing."""
    answers: list[int] = []

    async def caller(who: int) -> None:
        for n in range(10_000):
            answers.append(await post(port, message(f"wamid.{who}.{n}")))

    callers = [asyncio.create_task(caller(who)) for who in range(8)]
    await until(lambda: len(answers) > 20)
    process.send_signal(number)
    await asyncio.gather(*callers, return_exceptions=True)
    return answers


def test_it_stops_in_time_while_the_broker_is_away(tmp_path: Path) -> None:
    """A broker's trouble would become a process that nobody can stop."""
    port = free_ports()
    with started("127.0.0.1:1", port, tmp_path, path="/healthz") as process:
        process.terminate()
        assert process.wait(HANG) == 0


def test_a_publisher_without_its_topic_refuses_at_once(kafka: Kafka) -> None:
    """Every webhook would wait for its whole deadline while somebody forgot to create the topics."""

    async def main() -> None:
        publisher = WebhookPublisher(kafka.bootstrap, "nobody.made.this")
        try:
            await publisher._connecting
            assert not await publisher.ready()
            with pytest.raises(Unavailable, match="pipeline topics create"):
                publisher.publish([Record("nobody.made.this", b"k", b"{}")]).send(None)  # it waits for nothing
        finally:
            await publisher.stop(1)

    asyncio.run(main())


def test_a_record_that_no_topic_takes_does_no_harm(bootstrap: str) -> None:
    """One webhook that is too large would end the process for all."""

    async def main() -> None:
        publisher = WebhookPublisher(bootstrap)
        try:
            await publisher._connecting
            with pytest.raises(OversizeRecord):
                await publisher.publish([Record(RAW.name, b"k", b"x" * (5 * 1024 * 1024))])
            assert not publisher.fatal_error.done()
            await publisher.publish([Record(RAW.name, b"cloud", b"{}")])
        finally:
            await publisher.stop(1)

    asyncio.run(main())


@pytest.fixture
def recorded(kafka: Kafka) -> Iterator[Topic]:
    """A topic whose partition count is recorded."""
    topic = Topic("raised.raw", "key", "a test's")

    async def make() -> None:
        await create(kafka.bootstrap, [topic, INSTALLATION], 3, 1)
        await compacted.write(kafka.bootstrap, [partitions_record(3, [topic.name])])

    asyncio.run(make())
    yield topic
    asyncio.run(delete(kafka.bootstrap, [topic.name, INSTALLATION.name]))


def test_records_are_never_placed_by_another_count_than_was_recorded(kafka: Kafka, recorded: Topic) -> None:
    """Webhooks would be answered 200 on partitions where no worker looks, with everything green."""
    keys = [f"key-{number}".encode() for number in range(50)]

    async def main() -> None:
        publisher = WebhookPublisher(kafka.bootstrap, recorded.name)
        try:
            await publisher._connecting
            await publisher.publish([Record(recorded.name, keys[0], b"{}")])
            await raise_partitions(kafka.bootstrap, recorded.name, 12)
            await until(lambda: _refuses(publisher, [Record(recorded.name, key, b"{}") for key in keys]))
            assert not await publisher.ready()
            assert publisher.misconfiguration is not None
            assert "raised.raw has 12 partitions, the installation recorded 3" in publisher.misconfiguration
            assert not publisher.fatal_error.done(), "it goes on saying so until somebody looks"
        finally:
            await publisher.stop(1)
        ends = await _ends(kafka.bootstrap, recorded.name, 12)
        assert sum(ends[:3]) > 0
        assert ends[3:] == [0] * 9
        anew = WebhookPublisher(kafka.bootstrap, recorded.name)
        try:
            assert "recorded 3" in str(await asyncio.wait_for(anew.fatal_error, HANG)), "a new process ends with it"
            with pytest.raises(Unavailable):
                await anew.publish([Record(recorded.name, keys[0], b"{}")])
        finally:
            await anew.stop(1)

    asyncio.run(main())


async def _refuses(publisher: WebhookPublisher, records: list[Record]) -> bool:
    await publisher.ready()  # as a load balancer asks again and again
    try:
        await publisher.publish(records)
    except Unavailable as error:
        return "recorded 3" in str(error)
    return False


async def _ends(bootstrap: str, topic: str, count: int) -> list[int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(count)]
        found = await consumer.end_offsets(places)
        return [found[place] for place in places]
    finally:
        await consumer.stop()


def test_a_publisher_whose_client_is_lost_says_so(bootstrap: str) -> None:
    """The ingress would be taken out of service for good, and nobody would start it again."""

    async def main() -> None:
        publisher = WebhookPublisher(bootstrap)
        try:
            await publisher._connecting
            assert publisher._producer is not None
            publisher._producer.client._sync_task.cancel()
            await asyncio.wait([publisher._producer.client._sync_task])
            assert not await publisher.ready()
            assert "metadata" in str(publisher.fatal_error.result())
        finally:
            await publisher.stop(1)

    asyncio.run(main())
