"""Topic administration: describe, create and check topics, over aiokafka's admin client.

It takes any topic that has a name and a configuration, so it knows none of this project's own. Whatever can't
be reached in time is an `Unavailable`; whatever a person must change is a `UsageError`; both are one line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    TopicAlreadyExistsError,
    for_code,
)

from pipeline.errors import ConfigurationError, Unavailable, UsageError

TIMEOUT: Final = 4.0
"""Seconds in which a broker that is there answers what is asked here."""
CREATE_TIMEOUT: Final = 30.0
"""Seconds for creating topics, until the metadata shows all of them with their leaders."""
MIN_INSYNC: Final = "min.insync.replicas"
UNCLEAN: Final = "unclean.leader.election.enable"
RETENTION_BYTES: Final = "retention.bytes"
RETENTION_MS: Final = "retention.ms"
MAX_BYTES: Final = "max.message.bytes"
LIMITS: Final = {MAX_BYTES: "", "segment.bytes": ""}
"""What bounds a batch of one record."""


class TopicSpec(Protocol):
    """A topic as it should be."""

    @property
    def name(self) -> str: ...

    @property
    def partitions(self) -> int | None:
        """How many it has where that is its own affair; None: as many as all."""

    def config(self) -> dict[str, str]:
        """Its configuration as the broker spells it, e.g. `{"cleanup.policy": "delete"}`."""


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """A topic as the broker has it. `replication` is the smallest number of replicas of its partitions."""

    name: str
    partitions: int
    replication: int


class Difference(NamedTuple):
    """What is not as it should be: `what` is `topic`, `partitions`, `replication` or a config key."""

    topic: str
    what: str
    expected: str
    actual: str

    def __str__(self) -> str:
        if self.what == "topic":
            return f"{self.topic}: missing"
        return f"{self.topic}: {self.what} is {self.actual}, should be {self.expected}"


async def count_brokers(bootstrap: str) -> int:
    """How many brokers the cluster has at this moment."""
    async with _admin(bootstrap) as admin:
        return len((await admin.describe_cluster())["brokers"])


async def describe(bootstrap: str, names: Iterable[str]) -> dict[str, TopicDescription]:
    """Those of `names` that exist, by name."""
    async with _admin(bootstrap) as admin:
        return await _describe(admin, names)


async def create(bootstrap: str, topics: Sequence[TopicSpec], partitions: int, replication: int) -> list[str]:
    """Creates those of `topics` that are missing and returns their names. Topics that exist stay as they are.

    Every topic without a count of its own gets `partitions`, changelogs too: a table's partition must be its source's.
    What makes an acknowledgement last is pinned, whatever the broker's defaults are or become (`safe`).
    """
    async with _admin(bootstrap, CREATE_TIMEOUT) as admin:
        there = await _describe(admin, [topic.name for topic in topics])
        missing = [topic for topic in topics if topic.name not in there]
        await _create(admin, [_new(topic, partitions, replication) for topic in missing])
        await _until_led(admin, {topic.name for topic in missing})
        return [topic.name for topic in missing]


async def check(bootstrap: str, topics: Sequence[TopicSpec], partitions: int, replication: int) -> list[Difference]:
    """Where the broker's topics differ from `topics`: existence, partitions, replicas and configuration.

    More replicas than `replication` are no difference.
    """
    async with _admin(bootstrap) as admin:
        there = await _describe(admin, [topic.name for topic in topics])
        wanted = {topic.name: _config(topic, replication) for topic in topics}
        configs = await _configs(admin, {name: wanted[name] for name in there})
    counts = {topic.name: topic.partitions or partitions for topic in topics}
    found = {name: _compare(there[name], counts[name], replication) for name in there}
    for name, actual in configs.items():
        found[name] += _compare_config(name, wanted[name], actual)
    return [each for name in wanted for each in found.get(name, [_missing(name)])]


async def unsafe(bootstrap: str, names: Iterable[str], replication: int) -> list[Difference]:
    """Where topics lack what `safe` says; without those that are missing or that we may not ask about."""
    wanted = safe(replication)
    async with _admin(bootstrap) as admin:
        found = await _configs(admin, dict.fromkeys(names, wanted))
    return [each for name, actual in found.items() if actual for each in _compare_config(name, wanted, actual)]


async def retentions(bootstrap: str, names: Iterable[str]) -> dict[str, float]:
    """Seconds that records stay, by topic; without those that keep them for ever, or that we may not ask about."""
    async with _admin(bootstrap) as admin:
        found = await _configs(admin, {name: {RETENTION_MS: ""} for name in names})
    millis = {name: int(config[RETENTION_MS]) for name, config in found.items() if config.get(RETENTION_MS)}
    return {name: value / 1000 for name, value in millis.items() if value > 0}


async def largest(bootstrap: str, names: Iterable[str]) -> dict[str, int]:
    """Bytes of the largest batch that topics take, by name; without those that we may not ask about."""
    async with _admin(bootstrap) as admin:
        found = await _configs(admin, dict.fromkeys(names, LIMITS))
    return {name: min(map(int, config.values())) for name, config in found.items() if all(map(config.get, LIMITS))}


async def require_topics(bootstrap: str, names: Iterable[str], partitions: int, *, recorded: bool = False) -> None:
    """Raises `UsageError` unless every topic is there with that many partitions.

    Faust calls a worker ready without its topics, and a table with another partition count than its source
    reads the wrong rows: both must be known before a record is taken. `recorded`: the installation did record it.
    """
    wanted = set(names)
    require_counts(await describe(bootstrap, wanted), wanted, partitions, recorded=recorded)


def require_counts(
    there: Mapping[str, TopicDescription], wanted: Iterable[str], partitions: int, *, recorded: bool
) -> None:
    """The same of topics that were described."""
    found = {name: there.get(name) for name in sorted(wanted)}
    missing = [name for name, each in found.items() if each is None]
    if missing:
        raise UsageError(f"Kafka has no topic {', '.join(missing)}: run `pipeline topics create`")
    wrong = [f"{each.name} has {each.partitions}" for each in found.values() if each and each.partitions != partitions]
    if wrong and recorded:
        raise UsageError(changed(", ".join(wrong), partitions))
    if wrong:
        raise UsageError(
            f"{', '.join(wrong)} partitions, not {partitions}: set PIPELINE_PARTITIONS to what the topics "
            "have, or delete them and run `pipeline topics create`"
        )


def changed(what: str, partitions: int) -> str:
    """One line about topics of which somebody has changed the count; `what`: `webhooks.raw has 9`."""
    return (
        f"{what} partitions, the installation recorded {partitions}: where nothing waits on it, delete it and run "
        "`pipeline topics create`; else see docs/operations.md (topics and their partitions)"
    )


@asynccontextmanager
async def _admin(bootstrap: str, timeout: float = TIMEOUT) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=int(timeout * 1000))
    try:
        async with asyncio.timeout(TIMEOUT):
            await _start(client, bootstrap)
        async with asyncio.timeout(timeout):
            yield client
    except NodeNotReadyError:
        raise Unavailable(
            f"Kafka at {bootstrap} answers, but the address it gives for itself can't be reached from here: "
            "correct its advertised.listeners"
        ) from None
    except (KafkaError, TimeoutError, OSError) as error:
        raise Unavailable(unreachable(bootstrap, error)) from None
    finally:
        await client.close()


async def _start(client: AIOKafkaAdminClient, bootstrap: str) -> None:
    try:
        # the client would take a URL's scheme for a part of the host's name
        if "://" in bootstrap:
            raise ValueError
        await client.start()
    except ValueError:
        raise ConfigurationError(f"PIPELINE_KAFKA is {bootstrap!r}: write it as host:port,host:port") from None


def unreachable(bootstrap: str, error: Exception) -> str:
    """One line about a broker that does not answer."""
    names = {TimeoutError: "no answer in time", KafkaConnectionError: "no connection"}
    reason = names.get(type(error), type(error).__name__)
    return f"can't reach Kafka at {bootstrap} ({reason}): start it or set PIPELINE_KAFKA"


async def _describe(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, TopicDescription]:
    wanted = set(names)
    # asking for all of them by no name: asking for one by name makes a broker create it
    topics = await admin.describe_topics()
    return {
        topic["topic"]: TopicDescription(topic["topic"], len(topic["partitions"]), _replicas(topic))
        for topic in topics
        if topic["topic"] in wanted
    }


def _replicas(topic: Mapping[str, Any]) -> int:
    return min((len(partition["replicas"]) for partition in topic["partitions"]), default=0)


def safe(replication: int) -> dict[str, str]:
    """What every topic needs so that nothing acknowledged is lost or removed before its time.

    Of three replicas or more, two must have what is acknowledged. A replica that lacks it never becomes the leader, and
    no size removes records that are younger than the retention.
    """
    return {MIN_INSYNC: "2" if replication >= 3 else "1", UNCLEAN: "false", RETENTION_BYTES: "-1"}


def _config(topic: TopicSpec, replication: int) -> dict[str, str]:
    return safe(replication) | topic.config()


def _new(topic: TopicSpec, partitions: int, replication: int) -> NewTopic:
    count = topic.partitions or partitions
    return NewTopic(topic.name, count, replication, topic_configs=_config(topic, replication))


async def _create(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
    if not topics:
        return
    response = await admin.create_topics(topics)
    for name, code, message in response.topic_errors:
        # another process may have created it in the meantime
        if code not in (0, TopicAlreadyExistsError.errno):
            raise UsageError(_refused(name, code, message))


def _refused(name: str, code: int, message: str | None) -> str:
    if code == InvalidReplicationFactorError.errno:
        return f"Kafka has too few brokers for the replicas of {name}: set PIPELINE_REPLICATION to fit"
    return f"Kafka would not create {name} ({for_code(code).__name__}): {message or 'it gives no reason'}"


async def _until_led(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """Waits until the metadata shows every topic with a leader for each partition."""
    while True:
        led = {topic["topic"] for topic in await admin.describe_topics() if _is_led(topic)}
        if names <= led:
            return
        await asyncio.sleep(0.05)


def _is_led(topic: Mapping[str, Any]) -> bool:
    return bool(topic["partitions"]) and all(part["leader"] >= 0 for part in topic["partitions"])


async def _configs(admin: AIOKafkaAdminClient, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The broker's values of the wanted keys, by topic."""
    if not wanted:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, dict(keys)) for name, keys in wanted.items()]
    responses = await admin.describe_configs(resources)
    described = [resource for response in responses for resource in response.resources]
    return {name: {entry[0]: entry[1] for entry in entries} for _, _, _, name, entries in described}


def _missing(name: str) -> Difference:
    return Difference(name, "topic", "there", "missing")


def _compare(topic: TopicDescription, partitions: int, replication: int) -> list[Difference]:
    found = []
    if topic.partitions != partitions:
        found.append(Difference(topic.name, "partitions", str(partitions), str(topic.partitions)))
    if topic.replication < replication:
        found.append(Difference(topic.name, "replication", str(replication), str(topic.replication)))
    return found


def _compare_config(name: str, wanted: Mapping[str, str], actual: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(name, key, value, actual.get(key, "not set"))
        for key, value in wanted.items()
        if not _suffices(key, value, actual.get(key))
    ]


def _suffices(key: str, wanted: str, actual: str | None) -> bool:
    if key == MIN_INSYNC and actual is not None:  # more are more than was asked for
        return int(actual) >= int(wanted)
    return _normal(actual) == _normal(wanted)


def _normal(value: str | None) -> object:
    """Lists of a configuration have no order: `delete,compact` is `compact,delete`."""
    return value and sorted(value.split(","))
