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
from pipeline.runtime.kafka import admin, installation, partition_counts, topic_guard
from pipeline.settings import Settings
from tests.integration.installation import KEYED, NAMES, PARTITIONS, TOPICS, delete, pipeline, without_topics
from tests.integration.runtime_client import raise_partitions


class Plain(NamedTuple):
    """A topic of these tests only."""

    name: str
    settings: dict[str, str]
    partitions: int | None = None

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
    *created, told = lines
    assert (status, created) == (0, [*(f"created {name}" for name in NAMES), f"{len(NAMES)} created, 0 existed"])
    assert told.startswith(f"recorded {PARTITIONS} partitions for {len(KEYED)} topics")
    assert topics("check", bootstrap)[:2] == (0, [f"{len(NAMES)} topics match the catalogue"])
    assert topics("create", bootstrap)[:2] == (0, [f"0 created, {len(NAMES)} existed"])


def test_every_topic_has_the_same_partitions(bootstrap: str) -> None:
    """A table's partition would not be its source's, and a worker would look for rows where they are not."""
    topics("create", bootstrap)
    there = asyncio.run(admin.describe(bootstrap, NAMES))
    assert {name: each.partitions for name, each in there.items()} == dict.fromkeys(KEYED, PARTITIONS) | {
        "installation": 1,
        "controls": 1,
    }


def test_check_prints_each_difference(bootstrap: str) -> None:
    """A retention that somebody has shortened by hand would lose webhooks, and nobody would see."""
    assert topics("check", bootstrap)[:2] == (1, [f"{name}: missing" for name in NAMES])
    topics("create", bootstrap)
    shortened = {"retention_ms": "1000", "cleanup_policy": "compact", "max_message_bytes": "99", "retention_bytes": "9"}
    asyncio.run(alter(bootstrap, "webhooks.raw", unclean_leader_election_enable="true", **shortened))
    status, lines, _ = topics("check", bootstrap)
    assert status == 1
    assert lines == [
        "webhooks.raw: unclean.leader.election.enable is true, should be false",
        "webhooks.raw: retention.bytes is 9, should be -1",
        "webhooks.raw: cleanup.policy is compact, should be delete",
        "webhooks.raw: retention.ms is 1000, should be 604800000",
        "webhooks.raw: max.message.bytes is 99, should be 4194304",
    ]


def test_topics_keep_commands_for_their_lifetime_and_check_tells_what_does_not(bootstrap: str) -> None:
    """An operator who lets campaigns wait for two weeks would make topics that remove them after one."""
    long = {"lifetimes": "bulk=1209600", "outcome_ttl": 1_300_000}
    topics("create", bootstrap, **long)
    assert topics("check", bootstrap, **long)[:2] == (0, [f"{len(NAMES)} topics match the catalogue"])
    kept = asyncio.run(admin.retentions(bootstrap, ["commands.bulk", "commands.outcomes"]))
    assert kept == {"commands.bulk": 1_296_000, "commands.outcomes": 604_800}
    status, (interactive, bulk, uploads, outcomes), _ = topics(
        "check", bootstrap, **long | {"lifetimes": "bulk=2419200"}
    )
    assert status == 1
    assert interactive == "commands.interactive: retention.ms is 1296000000, should be 2505600000"
    assert bulk == "commands.bulk: retention.ms is 1296000000, should be 2505600000"
    assert uploads == "uploads: retention.ms is 1900800000, should be 3110400000", (
        "a send may wait for its handler first"
    )
    assert outcomes.startswith("outcomes are remembered for 1300000 s, and commands may wait for 2505600: set PIPELINE")


def test_other_partitions_are_a_difference_and_stop_create(bootstrap: str) -> None:
    """A worker would be deployed against topics that its tables can't follow."""
    topics("create", bootstrap)
    status, lines, _ = topics("check", bootstrap, partitions=9)
    assert status == 1
    assert lines == [
        *(f"{name}: partitions is {PARTITIONS}, should be 9" for name in KEYED),
        f"installation: recorded partition count is {PARTITIONS}, should be 9",
    ]
    status, _, error = topics("create", bootstrap, partitions=9)
    assert status == 1
    assert "PIPELINE_PARTITIONS" in error
    assert len(error.splitlines()) == 1


def test_an_older_installation_records_the_count_that_it_has(bootstrap: str) -> None:
    """Whoever upgrades would keep topics to which anybody can add partitions, and the check would not say so."""
    asyncio.run(admin.create(bootstrap, TOPICS, PARTITIONS, 1))
    status, lines, _ = topics("check", bootstrap)
    assert status == 1
    assert lines == [
        "installation: recorded partition count is missing (run `pipeline topics create`), should be 3",
    ]
    status, lines, _ = topics("create", bootstrap)
    assert (status, lines[0]) == (0, f"0 created, {len(NAMES)} existed")
    assert lines[1].startswith(f"recorded {PARTITIONS} partitions")
    assert topics("check", bootstrap)[0] == 0


def test_an_older_installation_whose_topics_disagree_records_nothing(bootstrap: str) -> None:
    """One of two counts would be taken for right, and the keys of the other topics be looked for elsewhere."""
    asyncio.run(admin.create(bootstrap, TOPICS[:1], PARTITIONS, 1))
    asyncio.run(admin.create(bootstrap, TOPICS[1:2], PARTITIONS + 1, 1))
    status, _, error = topics("create", bootstrap)
    assert status == 1
    assert "different partition counts" in error
    assert asyncio.run(admin.describe(bootstrap, NAMES)).keys() == set(NAMES[:2]), "nothing more was made"


def test_what_was_recorded_outlives_the_setting_and_the_topics_counts(bootstrap: str) -> None:
    """A raised topic would become the new truth as soon as somebody raised the setting, too."""
    topics("create", bootstrap)
    for name in KEYED:
        asyncio.run(raise_partitions(bootstrap, name, 9))
    ours = Settings(kafka=bootstrap, partitions=9)
    for wrong, said in ((ours, "recorded 3 partitions"), (Settings(kafka=bootstrap, partitions=3), "has 9 partitions")):
        with pytest.raises(UsageError, match=said) as caught:
            asyncio.run(topic_guard.require_installation(wrong, ["webhooks.raw"]))
        assert len(str(caught.value).splitlines()) == 1
    status, _, error = topics("create", bootstrap, partitions=9)
    assert (status, len(error.splitlines())) == (1, 1)
    assert "recorded 3 partitions" in error


def test_create_adds_what_a_new_lane_needs(bootstrap: str) -> None:
    """The first event of a tenant on a new lane would find no topic."""
    topics("create", bootstrap)
    asyncio.run(delete(bootstrap, ["events.default"]))
    assert topics("create", bootstrap)[1] == ["created events.default", f"1 created, {len(NAMES) - 1} existed"]
    found = asyncio.run(installation.read(bootstrap))
    assert (found.partitions, found.topics) == (PARTITIONS, frozenset(KEYED))


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
        made = await asyncio.gather(*(installation.create(kafka.bootstrap, TOPICS, PARTITIONS, 1) for _ in range(2)))
        return [names for names, _ in made]

    with without_topics(kafka.bootstrap):
        assert {name for made in asyncio.run(both()) for name in made} == set(NAMES)
        assert asyncio.run(installation.read(kafka.bootstrap)).partitions == PARTITIONS


def test_describing_creates_nothing(kafka: Kafka) -> None:
    """A check of a mistyped topic would leave it behind on brokers that create topics by themselves."""
    assert asyncio.run(admin.describe(kafka.bootstrap, ["never-made"])) == {}
    assert asyncio.run(admin.describe(kafka.bootstrap, ["never-made"])) == {}


def test_workers_are_told_in_one_line_what_is_missing(bootstrap: str) -> None:
    """Faust calls a worker ready without its topics; it would idle while webhooks pile up."""
    with pytest.raises(UsageError, match=r"no topic webhooks.raw: run `pipeline topics create`"):
        asyncio.run(partition_counts.require_topics(bootstrap, ["webhooks.raw"], PARTITIONS))
    topics("create", bootstrap)
    asyncio.run(partition_counts.require_topics(bootstrap, KEYED, PARTITIONS))
    with pytest.raises(UsageError, match=f"webhooks.raw has {PARTITIONS} partitions, not 9") as caught:
        asyncio.run(partition_counts.require_topics(bootstrap, ["webhooks.raw"], 9))
    assert len(str(caught.value).splitlines()) == 1
