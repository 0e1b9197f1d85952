"""The world of a messenger in virtual time: what outlives its processes, and who writes commands and messages."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

from bench import webhooks
from bench.commands import maker
from bench.limits.disk import Disk
from bench.limits.gateway import LATENCY, Gateway, Tally
from bench.limits.process import TABLES, Process
from bench.limits.topics import Topics
from pipeline.errors import PipelineError
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.sandbox.limits import SandboxLimits
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing.own_time import OwnTime
from pipeline.topics.catalogue import COMMANDS_BULK, COMMANDS_INTERACTIVE, RECEIPTS
from pipeline.topics.codec import encode_receipt
from pipeline.topics.commands import PREFIX, Priority
from pipeline.topics.headers import COMMAND_ID
from pipeline.topics.keys import account_key
from pipeline.topics.receipts import Inbound, Receipt, inbound_receipt
from pipeline.topics.records import Record, header

T = TypeVar("T")

START: Final = 1_800_000_000.0
"""The beginning of virtual time, in unix seconds."""
BURST_SECONDS: Final = 0.375
"""Seconds of messages that the provider takes at once: what the messenger may send at once (0.25), what the network
bunches of it (0.1), and what is charged late for messages of people (0.025). A longer burst at the messenger is too
much."""
WEBHOOK: Final = (0.05, 0.15)
"""Seconds from a message or a status at the provider until its receipt is on the messenger's topic."""
TICK: Final = 0.1
"""Seconds between two looks at what sets no event."""


@dataclass(frozen=True)
class Number:
    """One sending number.

    Attributes:
        rate: messages per second, by its configuration and by the provider.
        pair: the reading of the limit to one person, for the messenger and for the provider.
        per_day: messages in any 24 hours; None: any number.
    """

    account: str
    rate: float = 80.0
    pair: str = "off"
    per_day: int | None = None

    @property
    def limits(self) -> SandboxLimits:
        """The limits at the provider."""
        reading: Any = "bucket" if self.pair == "auto" else self.pair
        burst = max(1, round(self.rate * BURST_SECONDS))
        return SandboxLimits(messages_per_second=self.rate, burst=burst, pair=reading, messages_per_day=self.per_day)

    @property
    def settings(self) -> dict[str, Any]:
        """The account in the tenants file."""
        limits = {"messages_per_second": self.rate, "pair": self.pair, "messages_per_day": self.per_day}
        return {"provider": "cloud", "id": self.account, "token": "token", "limits": limits}


class World:
    """Topics, tables, the provider and its people.

    Args:
        seed: the beginning of all chance.
        latency: seconds from a call to its answer, the shortest and the longest.

    Attributes:
        process: the messenger that runs; None while none does.
        outcomes: how many outcomes each command has, by its number; more than 255 count as that.
    """

    def __init__(
        self,
        directory: Path,
        numbers: Iterable[Number],
        *,
        partitions: int = 8,
        seed: int = 1,
        latency: tuple[float, float] = LATENCY,
    ) -> None:
        self.numbers = {number.account: number for number in numbers}
        self.random = random.Random(seed)
        random.seed(seed)
        limits = {("cloud", number.account): number.limits for number in self.numbers.values()}
        self.gateway = Gateway(limits, seed, latency)
        self.gateway.on_status = self._report
        self.process: Process | None = None
        self.outcomes = bytearray()
        self._partitions = partitions
        self._topics = Topics()
        self._disk = Disk(directory, TABLES)
        self._tenants = _tenants(self.numbers.values())

    @property
    def time(self) -> float:
        """Seconds since the beginning."""
        return asyncio.get_running_loop().time()

    def now(self) -> float:
        """Return unix seconds."""
        return START + self.time

    def tally(self, account: str) -> Tally:
        return self.gateway.tallies[account]

    @property
    def accepted(self) -> int:
        """The number of messages that were accepted, of all numbers."""
        return sum(len(tally.times) for tally in self.gateway.tallies.values())

    @property
    def violations(self) -> int:
        return sum(len(tally.violations) for tally in self.gateway.tallies.values())

    @property
    def violations_by_limit(self) -> dict[str, int]:
        found = Counter(exceeded.kind for tally in self.gateway.tallies.values() for _, exceeded in tally.violations)
        return dict(sorted(found.items()))

    @property
    def doubles(self) -> int:
        """The number of messages that were accepted more than once."""
        return sum(count > 1 for count in self.gateway.accepted)

    def missing(self, numbers: Iterable[int]) -> int:
        return sum(not self.gateway.accepted[number] for number in numbers)

    def all_accepted(self, numbers: Sequence[int]) -> Callable[[], bool]:
        """Return a function that returns True once all of these commands were accepted. It looks at each once."""
        left = iter(numbers)
        waiting = next(left, None)

        def look() -> bool:
            nonlocal waiting
            while waiting is not None and self.gateway.accepted[waiting]:
                waiting = next(left, None)
            return waiting is None

        return look

    def untold(self, numbers: Iterable[int]) -> int:
        """Return how many of these commands have no outcome."""
        return sum(not self.outcomes[number] for number in numbers)

    def _told(self, records: Sequence[Record]) -> None:
        for record in records:
            number = int((header(record.headers, COMMAND_ID) or "").removeprefix(PREFIX), 16)
            self.outcomes[number] = min(255, self.outcomes[number] + 1)

    # What happens to the messenger

    def start(self) -> None:
        """Start a messenger."""
        self.process = Process(
            self._topics, self._disk, self.gateway, self._tenants, self._partitions, self.now, self._told
        )
        self.process.start()

    async def kill(self) -> None:
        """Kill it."""
        assert self.process is not None
        process, self.process = self.process, None
        await process.kill()
        self.gateway.report()

    async def hand_over(self) -> None:
        """Let it give all of its partitions away."""
        assert self.process is not None
        process, self.process = self.process, None
        await process.hand_over()

    async def close(self) -> None:
        if self.process is not None:
            await self.kill()
        self._disk.close()

    # What others do

    def publish(
        self,
        account: str,
        count: int,
        priority: Priority = Priority.BULK,
        contact: Callable[[int], str] = webhooks.contact,
    ) -> range:
        """Publish commands of a number. Return their numbers."""
        topic = (COMMANDS_BULK if priority is Priority.BULK else COMMANDS_INTERACTIVE).name
        created_at = datetime.fromtimestamp(self.now(), UTC)
        make = maker(webhooks.TENANT, account, priority=priority, created_at=created_at, recipient=contact)
        numbers = self.gateway.expect(count)
        self.outcomes += bytes(count)
        self._append(topic, account, lambda number: make(number, topic), numbers.start, count)
        return numbers

    def write(self, account: str, person: str) -> None:
        """Let a person write to a number. The messenger hears of it when the webhook has come through."""
        self.gateway.receive(account, person)
        inbound = Inbound(messages=1, last={person: int(self.now())})
        self._later(inbound_receipt(inbound), account)

    def _report(self, command: Any, message_id: str) -> None:
        """Send the status of a message."""
        receipt = Receipt(command_id=command.command_id, message_id=message_id, status="sent", at=self.now())
        self._later(receipt, command.account)

    def _later(self, receipt: Receipt, account: str) -> None:
        record = encode_receipt(receipt, "cloud", account)
        seconds = self.random.uniform(*WEBHOOK)
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, self._append, RECEIPTS.name, account, lambda _: record, 0, 1)

    def _append(self, topic: str, account: str, make: Callable[[int], Record], number: int, count: int) -> None:
        partition = partition_of(account_key("cloud", account).encode(), self._partitions)
        self._topics.log(topic, partition).append(make, number, count, int(self.now() * 1000))

    def has_read_all(self) -> bool:
        """Return True if the messenger has fetched every record of its topics."""
        return self.process is not None and self.process.has_read_all

    async def until(self, condition: Callable[[], bool], what: str, within: float) -> None:
        """Wait until a condition holds. Raises `PipelineError` if it does not within so many seconds."""
        end = self.time + within
        while not condition():
            if self.process is not None and (error := self.process.error) is not None:
                raise error
            if self.time >= end:
                raise PipelineError(f"after {within:,.0f} s of virtual time there is no {what}")
            await asyncio.sleep(TICK)


def simulate(scene: Callable[[World], Awaitable[T]], numbers: Iterable[Number], **options: Any) -> T:
    """Run a scene in virtual time, in a world of its own."""

    async def run(directory: str) -> T:
        world = World(Path(directory), numbers, **options)
        try:
            return await scene(world)
        finally:
            await world.close()

    with TemporaryDirectory(prefix="pipeline-bench-") as place, asyncio.Runner(loop_factory=OwnTime) as runner:
        return runner.run(run(place))


def _tenants(numbers: Iterable[Number]) -> Tenants:
    tenant = {"id": webhooks.TENANT, "accounts": [number.settings for number in numbers]}
    return Tenants(TenantsFile.model_validate({"tenants": [tenant]}))
