"""Topic administration: describe, create and check topics, over aiokafka's admin client.

It accepts any topic that has a name and a configuration, so it knows no topic of this project. A broker that can't be
reached in time is an `Unavailable`, a mistake that a person must correct is a `UsageError`. Both messages are one line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
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

from pipeline import aiokafka_patches
from pipeline.errors import ConfigurationError, Unavailable, UsageError

TIMEOUT: Final = 4.0
"""Timeout for one request to the broker, in seconds."""
CREATE_TIMEOUT: Final = 30.0
"""Timeout for creating topics, until the metadata shows all of them with their leaders, in seconds."""
MIN_INSYNC: Final = "min.insync.replicas"
UNCLEAN: Final = "unclean.leader.election.enable"
RETENTION_BYTES: Final = "retention.bytes"
RETENTION_MS: Final = "retention.ms"
MAX_BYTES: Final = "max.message.bytes"
SIZE_LIMITS: Final = {MAX_BYTES: "", "segment.bytes": ""}
"""Config keys that limit the size of a batch."""


class TopicSpec(Protocol):
    """The wanted properties of a topic."""

    @property
    def name(self) -> str: ...

    @property
    def partitions(self) -> int | None:
        """The topic's own partition count; None: that of the installation."""

    def config(self) -> dict[str, str]:
        """Return the configuration in the broker's terms, e.g. `{"cleanup.policy": "delete"}`."""


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """The broker's description of a topic. `replication` is the smallest number of replicas of its partitions."""

    name: str
    partitions: int
    replication: int


class Difference(NamedTuple):
    """A difference from the wanted topic; `what` is `topic`, `partitions`, `replication` or a config key."""

    topic: str
    what: str
    expected: str
    actual: str

    def __str__(self) -> str:
        if self.what == "topic":
            return f"{self.topic}: missing"
        return f"{self.topic}: {self.what} is {self.actual}, should be {self.expected}"


async def count_brokers(bootstrap: str) -> int:
    """Return the current number of brokers in the cluster."""
    async with _admin(bootstrap) as admin:
        return len((await admin.describe_cluster())["brokers"])


async def describe(bootstrap: str, names: Iterable[str]) -> dict[str, TopicDescription]:
    """Describe those of `names` that exist, by name."""
    async with _admin(bootstrap) as admin:
        return await _describe(admin, names)


async def names(bootstrap: str, prefix: str) -> list[str]:
    """Return the names of the existing topics that begin with `prefix`, in order."""
    async with _admin(bootstrap) as admin:
        return sorted(found for each in await admin.describe_topics() if (found := each["topic"]).startswith(prefix))


async def create(bootstrap: str, topics: Sequence[TopicSpec], partitions: int, replication: int) -> list[str]:
    """Create the missing topics and return their names. Existing topics stay as they are.

    Every topic without a partition count of its own gets `partitions`, changelogs too: a table's partition must be its
    source's. The settings that keep acknowledged records are set explicitly (`durability_config`), whatever the
    broker's defaults are.
    """
    async with _admin(bootstrap, CREATE_TIMEOUT) as admin:
        existing = await _describe(admin, [topic.name for topic in topics])
        missing = [topic for topic in topics if topic.name not in existing]
        await _create(admin, [_new(topic, partitions, replication) for topic in missing])
        await _wait_for_leaders(admin, {topic.name for topic in missing})
        return [topic.name for topic in missing]


async def check(bootstrap: str, topics: Sequence[TopicSpec], partitions: int, replication: int) -> list[Difference]:
    """Compare the broker's topics with `topics`: existence, partitions, replicas and configuration.

    More replicas than `replication` are not a difference.
    """
    async with _admin(bootstrap) as admin:
        existing = await _describe(admin, [topic.name for topic in topics])
        wanted = {topic.name: _config(topic, replication) for topic in topics}
        configs = await _configs(admin, {name: wanted[name] for name in existing})
    counts = {topic.name: topic.partitions or partitions for topic in topics}
    found = {name: _compare(existing[name], counts[name], replication) for name in existing}
    for name, actual in configs.items():
        found[name] += _compare_config(name, wanted[name], actual)
    return [each for name in wanted for each in found.get(name, [_missing(name)])]


async def unsafe_settings(bootstrap: str, names: Iterable[str], replication: int) -> list[Difference]:
    """Compare topics with `durability_config`; topics that are missing or that we may not describe are left out."""
    wanted = durability_config(replication)
    async with _admin(bootstrap) as admin:
        found = await _configs(admin, dict.fromkeys(names, wanted))
    return [each for name, actual in found.items() if actual for each in _compare_config(name, wanted, actual)]


async def retentions(bootstrap: str, names: Iterable[str]) -> dict[str, float]:
    """Return the retention in seconds by topic; without topics that keep records forever or we may not describe."""
    async with _admin(bootstrap) as admin:
        found = await _configs(admin, {name: {RETENTION_MS: ""} for name in names})
    millis = {name: int(config[RETENTION_MS]) for name, config in found.items() if config.get(RETENTION_MS)}
    return {name: value / 1000 for name, value in millis.items() if value > 0}


async def max_batch_bytes(bootstrap: str, names: Iterable[str]) -> dict[str, int]:
    """Return the largest accepted batch in bytes by topic; topics that we may not describe are left out."""
    async with _admin(bootstrap) as admin:
        found = await _configs(admin, dict.fromkeys(names, SIZE_LIMITS))
    return {name: min(map(int, config.values())) for name, config in found.items() if all(map(config.get, SIZE_LIMITS))}


async def group_members(bootstrap: str, group: str) -> list[str]:
    """Return the ids of a consumer group's members. Those of a static member begin with its instance id and a dash."""
    async with _admin(bootstrap) as admin:
        described = await admin.describe_consumer_groups([group])
    return [member[0] for answer in described for found in answer.groups for member in found[5]]


@asynccontextmanager
async def _admin(bootstrap: str, timeout: float = TIMEOUT) -> AsyncIterator[AIOKafkaAdminClient]:
    aiokafka_patches.install()
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=int(timeout * 1000))
    try:
        with kafka_errors(bootstrap):
            async with asyncio.timeout(TIMEOUT):
                await start_client(client.start, bootstrap)
            async with asyncio.timeout(timeout):
                yield client
    finally:
        await client.close()


@contextmanager
def kafka_errors(bootstrap: str) -> Iterator[None]:
    """Turn the errors of a client that can't reach the broker into `Unavailable`, in one line."""
    try:
        yield
    except NodeNotReadyError:
        raise Unavailable(
            f"Kafka at {bootstrap} answers, but the address it gives for itself can't be reached from here: "
            "correct its advertised.listeners"
        ) from None
    except (KafkaError, TimeoutError, OSError) as error:
        raise Unavailable(unreachable(bootstrap, error)) from None


async def start_client(start: Callable[[], Awaitable[object]], bootstrap: str) -> None:
    """Start a client. Raise `ConfigurationError` if `bootstrap` is no list of addresses."""
    try:
        # The client would read a URL's scheme as part of the host name.
        if "://" in bootstrap:
            raise ValueError
        await start()
    except ValueError:
        raise ConfigurationError(f"PIPELINE_KAFKA is {bootstrap!r}: write it as host:port,host:port") from None


def unreachable(bootstrap: str, error: Exception) -> str:
    """Return the message for a broker that does not answer."""
    names = {TimeoutError: "no answer in time", KafkaConnectionError: "no connection"}
    reason = names.get(type(error), type(error).__name__)
    return f"can't reach Kafka at {bootstrap} ({reason}): start it or set PIPELINE_KAFKA"


async def _describe(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, TopicDescription]:
    wanted = set(names)
    # All topics are requested: a request for one by name can make the broker create it.
    topics = await admin.describe_topics()
    return {
        topic["topic"]: TopicDescription(topic["topic"], len(topic["partitions"]), _replicas(topic))
        for topic in topics
        if topic["topic"] in wanted
    }


def _replicas(topic: Mapping[str, Any]) -> int:
    return min((len(partition["replicas"]) for partition in topic["partitions"]), default=0)


def durability_config(replication: int) -> dict[str, str]:
    """Return the settings that every topic needs so that no acknowledged record is lost or removed too early.

    With three replicas or more, two must have a record before it is acknowledged. A replica that is not in sync never
    becomes the leader. Records younger than the retention are not removed for the log's size.
    """
    return {MIN_INSYNC: "2" if replication >= 3 else "1", UNCLEAN: "false", RETENTION_BYTES: "-1"}


def _config(topic: TopicSpec, replication: int) -> dict[str, str]:
    return durability_config(replication) | topic.config()


def _new(topic: TopicSpec, partitions: int, replication: int) -> NewTopic:
    count = topic.partitions or partitions
    return NewTopic(topic.name, count, replication, topic_configs=_config(topic, replication))


async def _create(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
    if not topics:
        return
    response = await admin.create_topics(topics)
    for name, code, message in response.topic_errors:
        # Another process may have created the topic in the meantime.
        if code not in (0, TopicAlreadyExistsError.errno):
            raise UsageError(_creation_error(name, code, message))


def _creation_error(name: str, code: int, message: str | None) -> str:
    if code == InvalidReplicationFactorError.errno:
        return f"Kafka has too few brokers for the replicas of {name}: set PIPELINE_REPLICATION to fit"
    return f"Kafka would not create {name} ({for_code(code).__name__}): {message or 'it gives no reason'}"


async def _wait_for_leaders(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """Wait until the metadata shows every topic with a leader for each partition."""
    while True:
        led = {topic["topic"] for topic in await admin.describe_topics() if _has_leaders(topic)}
        if names <= led:
            return
        await asyncio.sleep(0.05)


def _has_leaders(topic: Mapping[str, Any]) -> bool:
    return bool(topic["partitions"]) and all(part["leader"] >= 0 for part in topic["partitions"])


async def _configs(admin: AIOKafkaAdminClient, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return the broker's values of the wanted keys, by topic."""
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
    if key == MIN_INSYNC and actual is not None:  # a higher minimum is stricter
        return int(actual) >= int(wanted)
    return _sorted_list(actual) == _sorted_list(wanted)


def _sorted_list(value: str | None) -> object:
    """Sort a list value, because lists have no order: `delete,compact` equals `compact,delete`."""
    return value and sorted(value.split(","))
