"""`pipeline doctor` against real services: all well, all away, and each thing that can be wrong between."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from pipeline.cli import _checks
from pipeline.cli._checks import CheckState
from pipeline.cli._lifetimes import check_lifetimes
from pipeline.local.kafka import Kafka
from pipeline.local.redis import RedisServer
from pipeline.runtime.kafka import installation
from pipeline.settings import Settings
from pipeline.tenants import SAMPLE
from tests.integration.installation import PARTITIONS, TOPICS, Done, pipeline, without_topics
from tests.support.ports import free_ports
from tests.support.stacks import eventually


def doctor(tmp_path: Path, **settings: object) -> Done:
    ours = {"partitions": PARTITIONS, "replication": 1, "data_dir": tmp_path, "ingress_port": free_ports()}
    return pipeline("doctor", **(ours | settings))


def marks(done: Done) -> dict[str, str]:
    """The mark of each check by its name."""
    return {line.split()[1]: line[0] for line in done.stdout.splitlines()}


def of_redis(server: RedisServer) -> list[_checks.Finding]:
    return asyncio.run(_checks.check_redis(Settings(redis=server.url)))


@contextmanager
def configured(server: RedisServer, **changes: str) -> Iterator[None]:
    """Redis with these settings, and as it was afterwards."""
    with Redis.from_url(server.url, decode_responses=True) as client:
        names = {name: name.replace("_", "-") for name in changes}
        before = {name: str(client.config_get(names[name])[names[name]]) for name in changes}
        for name, value in changes.items():
            client.config_set(names[name], value)
        try:
            yield
        finally:
            for name, value in before.items():
                client.config_set(names[name], value)


def test_a_good_set_up_is_all_well(kafka: Kafka, redis_server: RedisServer, tmp_path: Path) -> None:
    """Whoever has done everything right would search for a fault that is none."""
    with without_topics(kafka.bootstrap):
        asyncio.run(installation.create(kafka.bootstrap, TOPICS, PARTITIONS, 1))
        done = doctor(tmp_path, kafka=kafka.bootstrap, redis=redis_server.url)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {
        "settings",
        "tenants",
        "secrets",
        "replays",
        "handler",
        "kafka",
        "topics",
        "lag",
        "lifetimes",
        "redis",
        "clock",
        "data",
        "ingress",
    }
    assert marks(done) == dict.fromkeys(names, "✓")
    assert done.stderr == ""


def test_everything_away_is_one_screen_soon(tmp_path: Path) -> None:
    """The doctor is called when things are broken; it must not break or hang then."""
    port = free_ports()
    done = doctor(tmp_path, kafka=f"127.0.0.1:{port}", redis=f"redis://:hush@127.0.0.1:{port + 1}/0", handler="no.Such")
    assert done.returncode == 1
    assert len(re.findall("no connection|no answer in time|did not answer in", done.stdout)) == 2, (
        "nobody is asked for ever"
    )
    found = marks(done)
    assert {name for name, mark in found.items() if mark == "✗"} == {"kafka", "redis", "handler"}
    assert {name for name, mark in found.items() if mark == "-"} == {"topics", "lag", "lifetimes", "clock"}
    assert "hush" not in done.stdout + done.stderr
    assert done.stderr == "", "nothing but the screen"


@pytest.mark.parametrize(
    ("setting", "value", "mark"),
    [("tenants", "/none.yaml", "tenants"), ("partitions", "none", "settings"), ("kafka", "kafka://x", "kafka")],
)
def test_a_wrong_setting_is_shown_with_its_name(tmp_path: Path, setting: str, value: str, mark: str) -> None:
    """Whoever mistyped a variable would be sent to look at a service."""
    away = f"127.0.0.1:{free_ports()}"
    done = doctor(tmp_path, **{"kafka": away, "redis": f"redis://{away}", setting: value})
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.split()[1] == mark]
    assert line[0] == "✗"
    assert f"PIPELINE_{setting.upper()}" in line


def test_missing_topics_say_what_to_run(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer with his own broker would not know that topics are not made by themselves."""
    monkeypatch.setenv("PIPELINE_SANDBOX_URL", "http://127.0.0.1:8090")
    ours = Settings(kafka=kafka.bootstrap, tenants=SAMPLE, partitions=PARTITIONS, replication=1)
    with without_topics(kafka.bootstrap):
        found = asyncio.run(_checks.check_kafka(ours, _checks.check_tenants(ours)[1]))
    assert [finding.state for finding in found] == [CheckState.OK, CheckState.WRONG]
    assert f"webhooks.raw: missing and {len(TOPICS) - 1} more: `pipeline topics create`" in found[1].text


def test_commands_that_outlive_their_topic_or_their_row_are_told_with_what_to_set(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenant whose campaigns may wait for two weeks would lose them after one, and send others twice."""
    monkeypatch.setenv("PIPELINE_SANDBOX_URL", "http://127.0.0.1:8090")

    def finding(**more: object) -> _checks.Finding:
        ours = Settings(kafka=kafka.bootstrap, tenants=SAMPLE, partitions=PARTITIONS, replication=1).model_copy(
            update=more
        )
        return asyncio.run(check_lifetimes(ours, _checks.check_tenants(ours)[1]))

    with without_topics(kafka.bootstrap):
        assert finding().state is CheckState.OK, "what is missing is told by another check"
        asyncio.run(installation.create(kafka.bootstrap, TOPICS, PARTITIONS, 1))
        good = finding()
        assert (good.state, "within 259200 s" in good.text) == (CheckState.OK, True)
        long = finding(lifetimes={"bulk": 14 * 86400.0})
    assert long.state is CheckState.WRONG
    for told in ("commands.bulk", "commands.interactive"):
        assert f"{told} keeps commands for 604800 s, and they may wait for 1296000: set its retention.ms" in long.text
    assert "retention.ms to 1296000000 or more" in long.text
    assert "set PIPELINE_OUTCOME_TTL=1296000 or more" in long.text
    assert len(long.text.splitlines()) == 1


def test_more_replicas_than_brokers_are_wrong(kafka: Kafka) -> None:
    """The defaults ask for three replicas; on one broker every topic would be refused."""
    found = asyncio.run(_checks.check_kafka(Settings(kafka=kafka.bootstrap, replication=3), None))
    assert [finding.state for finding in found] == [CheckState.WRONG, CheckState.SKIPPED]
    assert "PIPELINE_REPLICATION" in found[0].text


def test_a_redis_that_evicts_is_warned_of(redis_server: RedisServer) -> None:
    """Units of work would vanish under load, and handlers would take effect twice."""
    with configured(redis_server, maxmemory_policy="allkeys-lru"):
        finding = of_redis(redis_server)[0]
    assert finding.state is CheckState.WARNING
    assert "noeviction" in finding.text


def test_a_redis_that_keeps_nothing_is_warned_of(redis_server: RedisServer) -> None:
    """A restart of Redis would forget what has been done, and do it again."""
    with configured(redis_server, appendonly="no", save=""):
        finding = of_redis(redis_server)[0]
    assert finding.state is CheckState.WARNING
    assert "appendonly" in finding.text


def test_a_failover_that_would_lose_rows_is_warned_of(redis_server: RedisServer, tmp_path: Path) -> None:
    """An operator with replicas believes that nothing can be lost, until the first failover."""

    def findings(server: RedisServer, replicas: int = 0) -> list[_checks.Finding]:
        found = asyncio.run(_checks.check_redis(Settings(redis=server.url, redis_replicas=replicas)))
        return [finding for finding in found if finding.name == "replicas"]

    follower = RedisServer(tmp_path / "follower", free_ports())
    follower.start()
    try:
        assert findings(redis_server) == []
        (alone,) = findings(redis_server, 1)
        assert (alone.state, "1 replica must have each write and 0 are connected" in alone.text) == (
            CheckState.WRONG,
            True,
        )
        with Redis.from_url(follower.url) as client, Redis.from_url(redis_server.url, decode_responses=True) as master:
            client.execute_command("REPLICAOF", "127.0.0.1", redis_server.port)
            eventually(lambda: master.info("replication")["connected_slaves"] == 1, "it follows")
        (unused,) = findings(redis_server)
        assert (unused.state, "PIPELINE_REDIS_REPLICAS" in unused.text) == (CheckState.WARNING, True)
        assert [finding.state for finding in findings(redis_server, 1)] == [CheckState.OK]
        assert [finding.state for finding in findings(follower)] == [CheckState.WRONG]
    finally:
        follower.kill()
        with Redis.from_url(redis_server.url, decode_responses=True) as master:
            eventually(lambda: master.info("replication")["connected_slaves"] == 0, "it is gone")


def test_clocks_apart_are_warned_of(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times to live and limits would be wrong by the difference, and nobody would think of the clock."""
    there = time.time
    assert of_redis(redis_server)[1].state is CheckState.OK
    for shift in (5, -5):
        monkeypatch.setattr(time, "time", lambda shift=shift: there() + shift)
        finding = of_redis(redis_server)[1]
        assert finding.state is CheckState.WARNING
        assert "5.0 s apart" in finding.text
