"""The part of an app that a flow needs: a small typed context, so that a loop runs in a worker and in a test alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from faust.types import TP

from pipeline.backoff import RetryPolicy
from pipeline.runtime.flows.breaker import Breaker
from pipeline.runtime.flows.commit_callbacks import Callback
from pipeline.runtime.flows.dead_letters import BlockedDeadLetters
from pipeline.runtime.kafka.publisher import BatchPublisher
from pipeline.runtime.process.lag import PartitionWork
from pipeline.runtime.process.lease import MembershipLease
from pipeline.runtime.process.liveness import Liveness
from pipeline.runtime.quarantine.crash_marker import CrashMarker
from pipeline.runtime.quarantine.quarantine import Quarantine
from pipeline.runtime.tables.tables import Tables

PARKING_MAX_BYTES = 16 * 1024**3
"""Default bound of the bytes of parked records of one flow."""
Sleep = Callable[[asyncio.Event, float], Awaitable[bool]]
"""`(event, seconds)`: wait, and return True if the event was not set in that time."""


class Assignment(Protocol):
    """The partitions of an app in its consumer group, as its flows see them.

    Attributes:
        epoch: number that grows whenever positions are set anew. Work of an earlier epoch is delivered again.
        suspend_flow: set while partitions move.
        liveness: signs of progress of each partition.
        lease: how long the partitions surely belong to this process.
        quarantine: decides which records may run.
    """

    epoch: int
    suspend_flow: asyncio.Event
    liveness: Liveness
    lease: MembershipLease
    quarantine: Quarantine

    def committed(self, topic: str) -> Mapping[int, int]:
        """Return the committed position of each partition of a topic that belongs to this process."""

    def begin_work(self) -> Any:
        """Begin work. A rebalance or a stop waits until `end_work` gets the returned token."""

    def end_work(self, token: Any, /) -> None:
        """End the work that `begin_work` returned this token for."""

    def mark_processed(self, tp: TP, position: int, epoch: int) -> None:
        """Allow the commit of everything below `position`, unless positions were set anew since `epoch`."""

    def when_committed(self, tp: TP, offset: int, epoch: int, then: Callback) -> None:
        """Call `then` once `offset` is committed, unless positions are set anew before."""


async def sleep_unless_set(event: asyncio.Event, seconds: float) -> bool:
    """Wait for `seconds`. Return False as soon as `event` is set."""
    try:
        async with asyncio.timeout(seconds):  # `wait_for` would make a task of it before Python 3.12
            await event.wait()
    except TimeoutError:
        return True
    return False


@dataclass(frozen=True, slots=True)
class FlowContext:
    """The surroundings of one flow.

    Attributes:
        app: name of the app, for metrics.
        accepting: returns True while records may be taken: not while partitions move or the app stops.
        stopping: returns True once the app stops.
        crash_marker: notes the record whose code is running.
        sleep: waits between two tries, until partitions move.
        parking_max_bytes: bytes of parked records of one flow, at most.
    """

    app: str
    publisher: BatchPublisher
    assignment: Assignment
    tables: Tables
    retries: RetryPolicy
    accepting: Callable[[], bool]
    stopping: Callable[[], bool]
    crash_marker: CrashMarker
    sleep: Sleep = sleep_unless_set
    parking_max_bytes: int = PARKING_MAX_BYTES


class Flow(Protocol):
    """A loop that reads one source topic.

    Attributes:
        source: the topic.
        breaker: stops the flow from accepting records while failures are the rule.
        blocked_dead_letters: dead letters that their topic rejects.
    """

    source: str
    breaker: Breaker
    blocked_dead_letters: BlockedDeadLetters

    @property
    def quiet(self) -> bool:
        """True if no record runs."""

    def __len__(self) -> int:
        """Return the number of records that were fetched and are not finished."""

    def work(self) -> Mapping[TP, PartitionWork]:
        """Return the records that it has, by partition and state. Called once in a while, for metrics of lag.

        A partition of which it has nothing may be left out.
        """

    async def run(self) -> None:
        """Process records until the app stops."""
