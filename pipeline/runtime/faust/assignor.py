"""Who gets which partitions: as Faust decides, but never by a leader that does not know of every topic.

After a broker's death a client may know of no topic until its metadata is five minutes old. Stock Faust ignores what it
does not know and hands out nothing; static members that come back are given that nothing again, so that whole group
stands still, and says that it is ready.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from faust.assignor.partition_assignor import PartitionAssignor

from pipeline.errors import ConfigurationError
from pipeline.logging import get_logger

log = get_logger(__name__)

TOPIC_SECONDS: Final = 30.0
"""In which a topic that there is shows up once the broker answers."""

Perform = Callable[[Any], Awaitable[Any]]


class UnknownTopics(Exception):
    """The leader's metadata does not have these."""


class Assignor(PartitionAssignor):
    """Raises `UnknownTopics` rather than leave a topic's partitions to nobody."""

    def assign(self, cluster: Any, member_metadata: Any) -> Any:
        wanted = {topic for member in member_metadata.values() for topic in member.subscription}
        if unknown := sorted(topic for topic in wanted if not cluster.partitions_for_topic(topic)):
            raise UnknownTopics(*unknown)
        return super().assign(cluster, member_metadata)


def patient(coordinator: Any, give_up: Callable[[Exception], object]) -> Perform:
    """`coordinator._perform_assignment`, again until every topic is known.

    Gives up, and raises, when the broker has answered for `TOPIC_SECONDS` that there is no such topic. aiokafka tells
    nobody of what is raised here before the next fetch, and there is none while partitions move.
    """
    perform: Perform = coordinator._perform_assignment

    async def assignment(response: Any) -> Any:
        deadline = time.monotonic() + TOPIC_SECONDS
        while True:
            try:
                return await perform(response)
            except UnknownTopics as error:
                unknown = ", ".join(error.args)
                log.warning("the group waits until its leader knows of its topics", topics=unknown)
            answered = await coordinator._client.force_metadata_update()
            if not answered:
                deadline = time.monotonic() + TOPIC_SECONDS  # nobody answers: there is nothing to be known
            missing = ConfigurationError(f"Kafka shows no topic {unknown}: run `pipeline topics create`")
            if coordinator._closing.done():
                raise missing
            if answered and time.monotonic() > deadline:
                give_up(missing)
                raise missing
            await asyncio.sleep(coordinator._retry_backoff_ms / 1000)

    return assignment
