"""Faust's assignor, kept from assigning before the group's leader knows all topics, or to workers that can't park.

After a broker's death a client may know no topic until its metadata is five minutes old. Stock Faust ignores unknown
topics and assigns no partition of them. Static members that return get the same empty assignment again, so the whole
group does nothing and reports that it is ready.

A worker of a version that does not park would take over a partition without its parked records, and handle later
records of their keys before them. So an app that parks has a group protocol of its own. Kafka refuses members of
another protocol, and they wait outside of the group until its last member has left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka.errors import InconsistentGroupProtocolError
from faust.assignor.partition_assignor import PartitionAssignor

from pipeline.errors import ConfigurationError
from pipeline.logging import get_logger
from pipeline.runtime.parking.queue_rows import TABLE as PARKED

log = get_logger(__name__)

TOPIC_TIMEOUT: Final = 30.0
"""Timeout for the metadata of an existing topic once the broker answers, in seconds."""

PARKING_PROTOCOL: Final = "faust-parking"
"""The group protocol of an app that parks. Consumer groups of other apps have Faust's, or aiokafka's without tables."""
PROTOCOL_RETRY: Final = 1.0
"""Time between two tries to join a group whose members have another protocol, in seconds."""

PerformAssignment = Callable[[Any], Awaitable[Any]]
Rejoin = Callable[[Any], Awaitable[bool]]


class UnknownTopics(Exception):
    """Topics that are missing in the leader's metadata."""


class TopicAwareAssignor(PartitionAssignor):
    """Raises `UnknownTopics` instead of leaving a topic's partitions unassigned."""

    @property
    def name(self) -> str:
        app: Any = self.app  # a `PipelineApp`
        return PARKING_PROTOCOL if PARKED in app.stage_tables else str(super().name)

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


def wait_for_protocol(coordinator: Any, on_refused: Callable[[bool], object]) -> Rejoin:
    """Return `coordinator._do_rejoin_group`, which goes on trying while the group's members have another protocol.

    `on_refused` is called with True if the group refused this member for its protocol, and with False once it has
    joined. aiokafka alone ends the membership with the error.
    """
    rejoin: Rejoin = coordinator._do_rejoin_group

    async def join(subscription: Any) -> bool:
        try:
            joined = await rejoin(subscription)
        except InconsistentGroupProtocolError:
            on_refused(True)
            await asyncio.sleep(PROTOCOL_RETRY)
            return False
        if joined:
            on_refused(False)
        return joined

    return join
