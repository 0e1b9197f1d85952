"""The embedded stack: Kafka and Redis from pip packages, and the supervisor that keeps the services running."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from pipeline.errors import PipelineError, UsageError
from pipeline.local.kafka import Kafka
from pipeline.local.ports import Ports
from pipeline.local.redis import RedisServer
from tests.conftest import StackFactory
from tests.support.ports import free_ports
from tests.support.stacks import Process, eventually
from tests.support.waiting import HANG

RECORDS = [f"record {number}".encode() for number in range(100)]


async def create(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()


async def topics(bootstrap: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    names: list[str] = await admin.list_topics()
    await admin.close()
    return names


async def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=6 << 20) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def consume(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", max_partition_fetch_bytes=6 << 20
    )
    async with consumer, asyncio.timeout(HANG):
        return [(await consumer.getone()).value for _ in range(count)]


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A Kafka that the test may kill."""
    first = free_ports()
    server = Kafka(tmp_path / "kafka", first, first + 1)
    server.start()
    yield server
    server.stop()


@pytest.mark.integration
def test_records_survive_other_ports_and_a_kill(own_kafka: Kafka) -> None:
    """The next `pipeline up`, with --ports-from or after a crash, would have lost what was acknowledged."""
    asyncio.run(create(own_kafka.bootstrap, "kept"))
    asyncio.run(produce(own_kafka.bootstrap, "kept", RECORDS[:50]))
    own_kafka.stop()
    own_kafka.port, own_kafka.controller_port = own_kafka.port + 2, own_kafka.port + 3
    own_kafka.start()
    asyncio.run(produce(own_kafka.bootstrap, "kept", RECORDS[50:]))
    own_kafka.kill()
    own_kafka.start()
    assert asyncio.run(consume(own_kafka.bootstrap, "kept", len(RECORDS))) == RECORDS


def test_the_largest_webhook_fits(kafka: Kafka) -> None:
    """A webhook that the ingress takes would be refused by the broker and answered 503 for ever."""
    asyncio.run(create(kafka.bootstrap, "stack.large"))
    large = bytes(4 * 1024 * 1024)
    asyncio.run(produce(kafka.bootstrap, "stack.large", [large]))
    assert asyncio.run(consume(kafka.bootstrap, "stack.large", 1)) == [large]


def test_no_topic_is_created_by_accident(kafka: Kafka) -> None:
    """A misspelt topic name would become a topic with the wrong partition count."""

    async def topics_after_a_send() -> list[str]:
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, request_timeout_ms=1000) as producer:
            with pytest.raises((TimeoutError, KafkaError)):
                await asyncio.wait_for(producer.send_and_wait("stack.misspelt", b""), 2)
        return await topics(kafka.bootstrap)

    assert "stack.misspelt" not in asyncio.run(topics_after_a_send())


def test_a_second_start_says_so(kafka: Kafka) -> None:
    """A test or a script would run two brokers over one directory."""
    with pytest.raises(PipelineError, match="runs already"):
        kafka.launch()


@pytest.mark.integration
def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """A broker of somebody else on the port would be taken for our own."""
    first = free_ports()
    with socket.create_server(("127.0.0.1", first)), pytest.raises(UsageError, match=str(first)):
        RedisServer(tmp_path, first).start()


@pytest.mark.integration
def test_redis_keeps_its_data(tmp_path: Path) -> None:
    """Every conversation's state would be gone with the next `pipeline up`."""
    server = RedisServer(tmp_path, free_ports())
    server.start()
    with redis.Redis.from_url(server.url) as client:
        client.set("kept", "yes")
    server.stop()
    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.get("kept") == b"yes"
    server.stop()


Supervise = Callable[..., Process]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    """Runs the supervisor over fake services; whatever still runs is killed."""
    started: list[Process] = []

    def start(*options: str) -> Process:
        argv = [sys.executable, "-m", "tests.integration.supervised", str(free_ports()), str(tmp_path), *options]
        started.append(Process(argv, tmp_path / "up.out"))
        return started[-1]

    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored under nohup, and by what is started there
    yield start
    signal.signal(signal.SIGHUP, before)
    for process in started:
        process.signal(signal.SIGKILL)
        process.wait()


def journal(tmp_path: Path) -> list[str]:
    return (tmp_path / "journal").read_text().split()


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them runs; one that nobody has waited for yet doesn't."""
    return not [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stops_in_order_and_leaves_nothing(supervise: Supervise, tmp_path: Path, number: signal.Signals) -> None:
    """Webhooks would be taken after the workers have gone, or a process would keep a port."""
    process = supervise()
    process.wait_for("Ready in")
    children = process.descendants()
    process.signal(number)
    assert process.wait() == 0
    assert journal(tmp_path) == ["door", "worker", "store"]
    assert len(children) == 3
    assert gone(children)


@pytest.mark.integration
def test_the_children_are_out_of_reach_of_ctrl_c(supervise: Supervise) -> None:
    """Ctrl-C would hit every process of the terminal at once, and nothing would stop in order."""
    process = supervise()
    process.wait_for("Ready in")
    assert os.getpgid(process.pid) not in {os.getpgid(child.pid) for child in process.descendants()}


@pytest.mark.integration
def test_a_stubborn_child_is_killed_in_time(supervise: Supervise, tmp_path: Path) -> None:
    """Ctrl-C would hang for ever on one worker that does not stop."""
    process = supervise("worker=stubborn")
    process.wait_for("Ready in")
    children = process.descendants()
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    assert "worker had to be killed" in process.output
    assert journal(tmp_path) == ["door", "worker", "store"]
    assert gone(children)


@pytest.mark.integration
def test_a_dead_child_is_reported_and_started_again(supervise: Supervise) -> None:
    """A crashed worker would stay away until a person looks."""
    process = supervise()
    process.wait_for("Ready in")
    worker = next(child for child in process.descendants() if "worker" in child.cmdline())
    worker.kill()
    process.wait_for("worker was killed by SIGKILL")
    assert "    worker was here" in process.output
    eventually(lambda: process.output.count("✓ worker") == 2, "the worker is ready again")
    assert process.output.count("Ready in") == 1


@pytest.mark.integration
def test_the_fourth_death_stops_everything(supervise: Supervise) -> None:
    """A worker that can't start would be started for ever, and its reason would scroll away."""
    process = supervise("worker=broken")
    assert process.wait() == 1
    assert process.output.count("worker ended with exit status 1") == 4
    assert "worker can't go on" in process.output
    assert "can't be kept running" in process.output


@pytest.mark.integration
def test_a_child_waits_for_what_it_needs(supervise: Supervise) -> None:
    """Workers would die of a broker that is only just being started again, and use up their restarts."""
    process = supervise("store=broken")
    assert process.wait() == 1
    assert "worker" not in process.output
    assert "door" not in process.output


@pytest.mark.integration
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_killed_supervisor_leaves_nothing(supervise: Supervise) -> None:
    """Orphans would keep the ports, and the next start would fail on them."""
    process = supervise()
    process.wait_for("Ready in")
    children = process.descendants()
    process.signal(signal.SIGKILL)
    process.wait()
    eventually(lambda: gone(children), "all children are gone")


@pytest.mark.integration
def test_verbose_shows_the_output_under_its_name(supervise: Supervise) -> None:
    """With --verbose nobody could tell which process said what."""
    process = supervise("--verbose")
    process.wait_for("worker │ worker was here")


def test_up_names_a_taken_port(stack: StackFactory) -> None:
    """A newcomer whose port is taken would read a traceback."""
    first = free_ports()
    with socket.create_server(("127.0.0.1", first + 2)):
        process = stack(first_port=first)
        assert process.wait() == 1
    line = process.output.strip()
    assert len(line.splitlines()) == 1
    assert f"{first + 2} (kafka)" in line
    assert "--ports-from" in line


def test_up_does_not_share_a_directory(stack: StackFactory, tmp_path: Path) -> None:
    """Two brokers would write into one directory and destroy it."""
    (tmp_path / "used").mkdir()
    with (tmp_path / "used" / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = stack(data_dir=tmp_path / "used")
        assert process.wait() == 1
    assert len(process.output.strip().splitlines()) == 1
    assert "another `pipeline up`" in process.output


def test_up_runs_everything_and_continues_with_its_data(stack: StackFactory) -> None:
    """`make run` would not come up, would leave processes behind, or would forget yesterday's messages."""
    first = stack()
    first.wait_ready()
    children = first.descendants()
    assert len(children) == 7
    servers = set(Ports._fields) - {"controller", "admin", "agents"}
    assert {first.child(name).pid for name in servers} == {child.pid for child in children}
    asyncio.run(create(first.bootstrap, "yesterday"))
    assert first.stop() == 0
    assert "had to be killed" not in first.output
    assert gone(children)
    second = stack(data_dir=first.data_dir)
    second.wait_ready()
    assert "yesterday" in asyncio.run(topics(second.bootstrap))
    second.child("intake").kill()
    eventually(lambda: second.times_ready("intake") == 2, "intake is ready again")
