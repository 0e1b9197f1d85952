"""How far groups are behind, on a real Kafka and a real stack."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.cluster import ClusterMetadata

from pipeline.lag.report import LagReport, lag_report
from pipeline.local.kafka import Kafka
from pipeline.runtime.kafka import admin
from pipeline.runtime.kafka.group_positions import NO_LEADER, FirstRecord, open_positions
from pipeline.runtime.process.lag import PartitionLag
from pipeline.tenants import SAMPLE
from pipeline.topics.catalogue import Topic
from tests.conftest import StackFactory
from tests.integration.installation import Done, pipeline
from tests.integration.runtime_client import Site, Worker, keys_of, site
from tests.support.observers import post
from tests.support.ports import free_ports
from tests.support.stacks import Stack, eventually

HOUR = 3_600
PATIENT = 60.0
"""Seconds for the requests of one report on a busy machine."""


@pytest.fixture
def topic(kafka: Kafka) -> str:
    """A topic of four partitions."""
    return create(kafka.bootstrap, 4)


def create(bootstrap: str, partitions: int) -> str:
    name = f"lag-{uuid4().hex[:8]}"
    asyncio.run(admin.create(bootstrap, [Topic(name, keyed_by="nothing", purpose="a test")], partitions, 1))
    return name


@asynccontextmanager
async def connected(client: Any) -> Any:
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def put(bootstrap: str, topic: str, counts: Mapping[int, int], **options: Any) -> None:
    """Put records that are an hour old on partitions. With a `transactional_id` a marker follows the last one."""
    async with connected(AIOKafkaProducer(bootstrap_servers=bootstrap, **options)) as producer:
        for partition, count in counts.items():
            at = int((time.time() - HOUR) * 1000)
            sends = [producer.send(topic, b"value", partition=partition, timestamp_ms=at + n) for n in range(count)]
            if options.get("transactional_id"):
                async with producer.transaction():
                    await asyncio.gather(*[await each for each in sends])
            else:
                await asyncio.gather(*[await each for each in sends])


async def commit(bootstrap: str, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    async with connected(consumer):
        tps = {TopicPartition(topic, partition): offset for partition, offset in offsets.items()}
        consumer.assign(list(tps))
        await consumer.commit(tps)


def report(bootstrap: str, sources: Mapping[str, Iterable[str]], workers: Iterable[str] = ()) -> LagReport:
    named = {app: tuple(topics) for app, topics in sources.items()}
    return asyncio.run(lag_report(bootstrap, named, tuple(workers), PATIENT))


def rows(found: LagReport, app: int = 0) -> dict[int | None, tuple[PartitionLag | None, str]]:
    return {row.partition: (row.lag, row.note) for row in found.apps[app].rows}


def test_each_partition_is_counted_by_its_own_log(kafka: Kafka, topic: str) -> None:
    """A trimmed log, an empty one, a recreated one or a marker at the end would be lag that no worker can work off."""
    group, bootstrap = f"group-{topic}", kafka.bootstrap
    asyncio.run(put(bootstrap, topic, {1: 10, 2: 5}))
    asyncio.run(put(bootstrap, topic, {3: 2}, transactional_id=topic))
    asyncio.run(commit(bootstrap, group, topic, {1: 2, 3: 2}))
    with_site = Site(bootstrap, topic, Path())
    with_site.trim(topic, {1: 6})

    before = time.time()
    found = rows(report(bootstrap, {group: [topic]}))
    after = time.time()
    assert found[0] == (PartitionLag(), "")
    assert found[3] == (PartitionLag(), ""), "a marker is no record"
    trimmed, note = found[1]
    assert trimmed
    assert (trimmed.records, trimmed.unknown, trimmed.trimmed) == (4, 4, 4)
    assert note == "records were removed before they were processed"
    never, note = found[2]
    assert never
    assert (never.records, note) == (5, "no commit yet")
    for lag in (trimmed, never):
        assert lag.seconds is not None
        assert HOUR - 1 <= lag.seconds <= HOUR + after - before + 60, "the age of the oldest one"

    asyncio.run(commit(bootstrap, group, topic, {0: 90, 2: 99}))
    found = rows(report(bootstrap, {group: [topic]}))
    assert found[0] == (PartitionLag(), "recreated: the commit 90 is beyond the end, 0")
    recreated, _ = found[2]
    assert recreated
    assert recreated.records == 5, "a worker reads it from its start"


def test_a_bad_partition_costs_its_own_line_alone(kafka: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One partition without a leader would hang the command, or blank it, on the night when it is needed."""
    others = create(kafka.bootstrap, 1)
    asyncio.run(put(kafka.bootstrap, topic, {0: 3}))
    asyncio.run(put(kafka.bootstrap, others, {0: 7}))
    leader, partitions = ClusterMetadata.leader_for_partition, ClusterMetadata.partitions_for_topic

    def leader_for_partition(self: ClusterMetadata, tp: TopicPartition) -> Any:
        return -1 if tp == (topic, 1) else leader(self, TopicPartition(tp.topic, 0))

    def partitions_for_topic(self: ClusterMetadata, name: str) -> Any:
        # The metadata is older than the topic: the broker does not know the last one any more.
        return {*(partitions(self, name) or ()), 9} if name == topic else partitions(self, name)

    monkeypatch.setattr(ClusterMetadata, "leader_for_partition", leader_for_partition)
    monkeypatch.setattr(ClusterMetadata, "partitions_for_topic", partitions_for_topic)
    found = report(kafka.bootstrap, {"one": [topic, "missing"], "two": [others]})
    assert [app.lag.records for app in found.apps] == [3, 7]
    notes = {partition: note for partition, (lag, note) in rows(found).items() if lag is None}
    assert notes == {
        1: NO_LEADER,
        9: "the broker answers UnknownTopicOrPartitionError",
        None: "topic missing: run `pipeline topics create`",
    }


def test_a_topic_that_a_group_reads_beside_its_catalogue_is_measured(kafka: Kafka, topic: str) -> None:
    """Records between the two halves of a chain that was cut in two would be nobody's lag."""
    between = create(kafka.bootstrap, 1)
    asyncio.run(put(kafka.bootstrap, between, {0: 4}))
    asyncio.run(commit(kafka.bootstrap, "of-two", between, {0: 1}))
    found = report(kafka.bootstrap, {"of-two": [topic]}).apps[0]
    assert {row.topic: row.lag.records for row in found.rows if row.lag} == {topic: 0, between: 3}


def test_the_first_record_is_found_inside_a_large_batch(kafka: Kafka, topic: str) -> None:
    """The age would be that of a batch's first record, which was processed hours ago."""

    async def run() -> tuple[FirstRecord, FirstRecord]:
        options = {"compression_type": "gzip", "linger_ms": 1_000, "max_batch_size": 1 << 20}
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, max_request_size=2 << 20, **options)
        async with connected(producer):
            batch = producer.create_batch()
            for number in range(40):
                batch.append(key=None, value=uuid4().bytes * 1_000, timestamp=1_000 + number)
            await (await producer.send_batch(batch, topic, partition=0))
        async with open_positions(kafka.bootstrap, PATIENT) as reader:
            tp = TopicPartition(topic, 0)
            return await reader.first_record(tp, 30, 40), await reader.first_record(tp, 5, 5)

    assert asyncio.run(run()) == (FirstRecord(30, 1_030), FirstRecord(5))


# A worker


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with site(kafka.bootstrap, tmp_path) as made:
        yield made


def of_metrics(place: Site, worker: Worker, state: str) -> dict[int, float]:
    """The number of records in a state, by partition, of those that have any."""
    name = "pipeline_lag_records"
    numbers = {
        part: worker.metric(name, partition=str(part), state=state, topic=f"{place.name}.in") for part in range(4)
    }
    return {part: number for part, number in numbers.items() if number}


def test_a_worker_tells_what_it_holds_apart_from_what_it_works_on(place: Site) -> None:
    """Workers would be added for records that wait, and none for records that nobody works on."""
    (waits,), (works,), until = keys_of(0, 1), keys_of(1, 1), str(place.path("go"))
    held = [(waits, {"id": f"{waits}-{n}", "do": "back off", "until": until}) for n in range(5)]
    busy = [(works, {"id": f"{works}-{n}", "do": "hold", "until": until}) for n in range(3)]
    place.feed(held)  # type: ignore[arg-type]
    place.feed(busy)  # type: ignore[arg-type]
    worker = place.ready("concurrent", PIPELINE_STUCK_AFTER="4")
    eventually(lambda: of_metrics(place, worker, "held") == {0: 5}, "what backs off, and what is behind it, is held")
    eventually(lambda: of_metrics(place, worker, "sendable") == {1: 3}, "what works, and what is behind it, is not")
    assert worker.metric("pipeline_lag_seconds", partition="1", state="sendable") > 0

    source = f"{place.name}.in"
    found = json.loads(worker.get("/lag")[1])[place.name]
    assert set(found) == {f"{source}/{number}" for number in range(4)}
    url = f"http://127.0.0.1:{worker._port}"

    def split() -> tuple[int, int, int]:
        lag = report(place.bootstrap, {place.name: [source]}, [url]).apps[0].lag
        return lag.sendable, lag.held, lag.unknown

    eventually(lambda: split() == (3, 5, 0), "another process says the same")
    found_alone = report(place.bootstrap, {place.name: [source]}, [f"http://127.0.0.1:{free_ports()}"])
    assert (found_alone.apps[0].lag.unknown, list(found_alone.silent.values())) == (8, ["no connection"])

    place.path("go").touch()
    place.wait_committed()
    eventually(lambda: not of_metrics(place, worker, "held") and not of_metrics(place, worker, "sendable"), "nothing")
    assert split() == (0, 0, 0)


# The command


def of_command(stack: Stack, tenants: Path, *arguments: str) -> Done:
    return pipeline("lag", *arguments, data_dir=stack.data_dir, tenants=tenants)


def by_app(done: Done) -> dict[str, dict[str, Any]]:
    return {row["app"]: row for row in map(json.loads, done.stdout.splitlines())}


def test_the_command_tells_a_campaign_at_its_limit_from_work(stack: StackFactory, tmp_path: Path) -> None:
    """An operator, or an autoscaler, would add messengers for commands that wait for their account's next permit."""
    sample = yaml.safe_load(SAMPLE.read_text())
    del sample["tenants"][1:]  # alone in its partition, so that what waits stays on the topic however long it takes
    (account,) = sample["tenants"][0]["accounts"]
    account["limits"] = {"messages_per_second": 0.01}
    tenants = tmp_path / "tenants.yaml"
    tenants.write_text(yaml.safe_dump(sample))
    running = stack(env={"PIPELINE_TENANTS": str(tenants)})
    running.wait_ready()
    for number in range(6):
        message = {"provider": "cloud", "account": account["id"], "from": f"1555000{number:04}", "text": "hello"}
        post(f"{running.sandbox_url}/_sandbox/receive", message)

    def all_held() -> bool:
        done = of_command(running, tenants, "--json", "--app", "messenger")
        assert (done.returncode, done.stderr) == (0, "")
        found = by_app(done)["messenger"]
        assert found["unknown"] == 0
        return bool(found["records"] == found["held"] >= 6 and found["sendable"] == 0 < found["held_seconds"])

    eventually(all_held, "all answers wait for a permit, and nothing else does")

    eventually(lambda: _is_held_by_its_rate(running, tenants, f"cloud:{account['id']}"), "its limit is named")

    table = of_command(running, tenants)
    assert [line.split()[0] for line in table.stdout.splitlines()] == ["APP", "intake", "handlers-default", "messenger"]
    parts = of_command(running, tenants, "--by", "partition", "--app", "messenger").stdout
    assert "commands.interactive" in parts
    assert "partitions with nothing behind" in parts
    alone = of_command(running, tenants, "--json", "--workers", f"http://127.0.0.1:{free_ports()}")
    without = by_app(alone)["messenger"]
    assert without["unknown"] == without["records"] >= 6
    assert alone.stderr.startswith("no answer from the worker http://127.0.0.1:")
    doctor = pipeline("doctor", data_dir=running.data_dir, tenants=tenants, ingress_port=free_ports())
    (line,) = [line for line in doctor.stdout.splitlines() if line.split()[1:3] == ["lag", "messenger:"]]
    assert line.startswith("✓")
    assert " held, the oldest " in line


def _is_held_by_its_rate(running: Stack, tenants: Path, account: str) -> bool:
    """Return True if the command and the metrics say which limit holds the account's commands."""
    shown = pipeline("accounts", "show", account, "--json", data_dir=running.data_dir, tenants=tenants)
    assert shown.returncode == 0, shown.stderr
    ((url, facts),) = json.loads(shown.stdout)["workers"].items()
    held = facts["topics"]["commands.interactive"]["held"]
    assert set(held) <= {"messages_per_second", "in_work"}
    with urlopen(f"{url}/metrics") as answer:
        metrics = answer.read().decode()
    labels = f'account="{account}",app="messenger",held_by="messages_per_second",tenant="acme"'
    assert facts["limits"]["messages_per_second"]["configured"] == 0.01
    return sum(each["records"] for each in held.values()) >= 6 and all(
        f"{name}{{{labels}}}" in metrics for name in ("pipeline_waiting_top_records", "pipeline_held_top_seconds")
    )


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--app", "nobody"], 2, "there is no app 'nobody'"),
        (["--workers", "worker:1"], 2, "is no address of a worker"),
        ([], 1, "pipeline: can't reach Kafka at"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], status: int, text: str, tmp_path: Path) -> None:
    """A script could not tell a typing error from a Kafka that is away, nor a person read a traceback."""
    done = pipeline("lag", *arguments, kafka=f"127.0.0.1:{free_ports()}", data_dir=tmp_path)
    assert (done.returncode, text in done.stderr) == (status, True)
    assert "Traceback" not in done.stderr
