"""Topics on a real broker: created once, checked against the catalogue, required by workers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from pipeline.errors import UsageError
from pipeline.local.kafka import Kafka
from pipeline.runtime import admin
from tests.integration.installation import NAMES, PARTITIONS, TOPICS, delete, pipeline, without_topics


class Plain(NamedTuple):
    """A topic of these tests only."""

    name: str
    settings: dict[str, str]

    def config(self) -> dict[str, str]:
        return self.settings


@pytest.fixture
def bootstrap(kafka: Kafka) -> Iterator[str]:
    with without_topics(kafka.bootstrap):
        yield kafka.bootstrap


def topics(verb: str, bootstrap: str, **settings: Any) -> tuple[int, list[str], str]:
    """Exit status, lines of standard output, and standard error of `pipeline topics VERB`."""
    ours = {"kafka": bootstrap, "partitions": PARTITIONS, "replication": 1} | settings
    done = pipeline("topics", verb, **ours)
    return done.returncode, done.stdout.splitlines(), done.stderr


async def alter(bootstrap: str, name: str, **settings: str) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        keys = {key.replace("_", "."): value for key, value in settings.items()}
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, keys)])
    finally:
        await client.close()


def test_create_makes_the_catalogue_and_check_agrees(bootstrap: str) -> None:
    """An installation that followed the manual would be reported as wrong, or a second deployment would fail."""
    status, lines, _ = topics("create", bootstrap)
    assert (status, lines) == (0, [*(f"created {name}" for name in NAMES), f"{len(NAMES)} created, 0 were there"])
    assert topics("check", bootstrap)[:2] == (0, [f"{len(NAMES)} topics are as they should be"])
    assert topics("create", bootstrap)[:2] == (0, [f"0 created, {len(NAMES)} were there"])


def test_every_topic_has_the_same_partitions(bootstrap: str) -> None:
    """A table's partition would not be its source's, and a worker would look for rows where they are not."""
    topics("create", bootstrap)
    there = asyncio.run(admin.describe(bootstrap, NAMES))
    assert {name: each.partitions for name, each in there.items()} == dict.fromkeys(NAMES, PARTITIONS)


def test_check_prints_each_difference(bootstrap: str) -> None:
    """A retention that somebody has shortened by hand would lose webhooks, and nobody would see."""
    assert topics("check", bootstrap)[:2] == (1, [f"{name}: missing" for name in NAMES])
    topics("create", bootstrap)
    asyncio.run(alter(bootstrap, "webhooks.raw", retention_ms="1000", cleanup_policy="compact", max_message_bytes="99"))
    status, lines, _ = topics("check", bootstrap)
    assert status == 1
    assert lines == [
        "webhooks.raw: cleanup.policy is compact, should be delete",
        "webhooks.raw: retention.ms is 1000, should be 604800000",
        "webhooks.raw: max.message.bytes is 99, should be 4194304",
    ]


def test_other_partitions_are_a_difference_and_stop_create(bootstrap: str) -> None:
    """A worker would be deployed against topics that its tables can't follow."""
    topics("create", bootstrap)
    status, lines, _ = topics("check", bootstrap, partitions=9)
    assert status == 1
    assert lines == [f"{name}: partitions is {PARTITIONS}, should be 9" for name in NAMES]
    status, _, error = topics("create", bootstrap, partitions=9)
    assert status == 1
    assert "PIPELINE_PARTITIONS" in error
    assert len(error.splitlines()) == 1


def test_create_adds_what_a_new_lane_needs(bootstrap: str) -> None:
    """The first event of a tenant on a new lane would find no topic."""
    topics("create", bootstrap)
    asyncio.run(delete(bootstrap, ["events.default"]))
    assert topics("create", bootstrap)[1] == ["created events.default", f"1 created, {len(NAMES) - 1} were there"]


def test_too_few_brokers_name_the_setting(bootstrap: str) -> None:
    """The default of three replicas would meet a newcomer's single broker with a protocol error."""
    status, _, error = topics("create", bootstrap, replication=3)
    assert status == 1
    assert "PIPELINE_REPLICATION" in error
    assert len(error.splitlines()) == 1


def test_created_topics_can_be_used_at_once(kafka: Kafka) -> None:
    """The first webhook after `topics create` would be refused for want of a leader."""
    wanted = [Plain(f"at-once-{number}", {"retention.ms": "60000"}) for number in range(5)]
    names = [topic.name for topic in wanted]
    assert asyncio.run(admin.create(kafka.bootstrap, wanted, 8, 1)) == names
    there = asyncio.run(admin.describe(kafka.bootstrap, names))
    assert there[names[0]] == admin.TopicDescription(names[0], partitions=8, replication=1)
    assert asyncio.run(admin.check(kafka.bootstrap, wanted, 8, 1)) == []
    asyncio.run(delete(kafka.bootstrap, names))


def test_two_that_create_at_once_both_succeed(kafka: Kafka) -> None:
    """Two pods of one deployment would fail each other's start."""

    async def both() -> list[list[str]]:
        return await asyncio.gather(*(admin.create(kafka.bootstrap, TOPICS, PARTITIONS, 1) for _ in range(2)))

    with without_topics(kafka.bootstrap):
        assert {name for made in asyncio.run(both()) for name in made} == set(NAMES)


def test_describing_creates_nothing(kafka: Kafka) -> None:
    """A check of a mistyped topic would leave it behind on brokers that create topics by themselves."""
    assert asyncio.run(admin.describe(kafka.bootstrap, ["never-made"])) == {}
    assert asyncio.run(admin.describe(kafka.bootstrap, ["never-made"])) == {}


def test_workers_are_told_in_one_line_what_is_missing(bootstrap: str) -> None:
    """Faust calls a worker ready without its topics; it would idle while webhooks pile up."""
    with pytest.raises(UsageError, match=r"no topic webhooks.raw: run `pipeline topics create`"):
        asyncio.run(admin.require_topics(bootstrap, ["webhooks.raw"], PARTITIONS))
    topics("create", bootstrap)
    asyncio.run(admin.require_topics(bootstrap, NAMES, PARTITIONS))
    with pytest.raises(UsageError, match=f"webhooks.raw has {PARTITIONS} partitions, not 9") as caught:
        asyncio.run(admin.require_topics(bootstrap, ["webhooks.raw"], 9))
    assert len(str(caught.value).splitlines()) == 1
