"""Faust's assignor, kept from assigning before the group's leader knows all topics.

After a broker's death a client may know no topic until its metadata is five minutes old. Stock Faust ignores unknown
topics and assigns no partition of them. Static members that return get the same empty assignment again, so the whole
group does nothing and reports that it is ready.
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

TOPIC_TIMEOUT: Final = 30.0
"""Timeout for the metadata of an existing topic once the broker answers, in seconds."""

PerformAssignment = Callable[[Any], Awaitable[Any]]


class UnknownTopics(Exception):
    """Topics that are missing in the leader's metadata."""


class TopicAwareAssignor(PartitionAssignor):
    """Raises `UnknownTopics` instead of leaving a topic's partitions unassigned."""

    def assign(self, cluster: Any, member_metadata: Any) -> Any:
        wanted = {topic for member in member_metadata.values() for topic in member.subscription}
        if unknown := sorted(topic for topic in wanted if not cluster.partitions_for_topic(topic)):
            raise UnknownTopics(*unknown)
        return super().assign(cluster, member_metadata)


def retry_assignment(coordinator: Any, on_timeout: Callable[[Exception], object]) -> PerformAssignment:
    """Return `coordinator._perform_assignment` with retries until every topic is known.

    If the broker has answered for `TOPIC_TIMEOUT` seconds that a topic does not exist, `on_timeout` is called with the
    error, and the error is raised. aiokafka alone would report it at the next fetch, and there is no fetch during a
    rebalance.
    """
    perform: PerformAssignment = coordinator._perform_assignment

    async def assignment(response: Any) -> Any:
        deadline = time.monotonic() + TOPIC_TIMEOUT
        while True:
            try:
                return await perform(response)
            except UnknownTopics as error:
                unknown = ", ".join(error.args)
                log.warning("group_waiting_for_topics", detail="its leader does not know them yet", topics=unknown)
            answered = await coordinator._client.force_metadata_update()
            if not answered:
                deadline = time.monotonic() + TOPIC_TIMEOUT  # without an answer the topic may exist
            missing = ConfigurationError(f"Kafka shows no topic {unknown}: run `pipeline topics create`")
            if coordinator._closing.done():
                raise missing
            if answered and time.monotonic() > deadline:
                on_timeout(missing)
                raise missing
            await asyncio.sleep(coordinator._retry_backoff_ms / 1000)

    return assignment
