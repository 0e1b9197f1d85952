"""The place of a campaign: a sandbox with limits that answers late, and one messenger that sends to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Final

from bench import webhooks
from bench.accounts import Number, neighbours
from bench.broker import PARTITIONS, create_topics, load
from bench.candidate import Measured, run
from bench.commands import maker, somebody_else
from bench.end_to_end.stack import sandbox
from bench.lab import Lab, lab
from bench.parked.messenger import Messenger, messenger
from bench.sandbox_client import SandboxClient
from bench.sends.bare import Posts
from pipeline.topics.catalogue import COMMANDS_BULK
from pipeline.topics.commands import Priority

LATENCY: Final = (0.1, 0.3)
"""Seconds of an answer, evenly distributed."""
AT_ONCE: Final = 400
"""Calls of the bare loop in flight: as many as the messenger makes by default."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place with all of it running.

    Attributes:
        numbers: the sending numbers.
        per_second: the limit of each.
        url: the sandbox's.
    """

    lab: Lab
    numbers: Sequence[str]
    per_second: float
    url: str
    sandbox: SandboxClient
    messenger: Messenger

    def post_bare(self, first: int, count: int) -> Measured:
        """Let a bare loop post the commands from number `first` on, without limits at the sandbox. Forget them."""
        self.sandbox.limit(None)
        try:
            return run(self.lab, "bench.sends.bare", Posts(self.url, first, count, AT_ONCE))
        finally:
            self.sandbox.limit(self.per_second)
            self.sandbox.forget()

    def queue(self, account: str, numbers: range) -> None:
        """Publish commands of a campaign at once. A command's number is its own in the whole site."""
        make = maker(tenant_of(account), account, priority=Priority.BULK, recipient=somebody_else)
        asyncio.run(load(self.lab.bootstrap, COMMANDS_BULK.name, numbers, make))


def tenant_of(account: str) -> str:
    """Return the tenant of a number: each number has one of its own."""
    return f"tenant-{account}"


def spread(count: int) -> list[str]:
    """Return numbers that come one behind the other, so that their commands are on many partitions."""
    return [str(int(webhooks.ACCOUNT) + number) for number in range(count)]


def together(count: int) -> list[str]:
    """Return numbers whose commands are on one partition."""
    return [webhooks.ACCOUNT, *islice(neighbours(webhooks.ACCOUNT, PARTITIONS), count - 1)]


@contextmanager
def site(numbers: Sequence[str], per_second: float) -> Iterator[Site]:
    """Start everything. Each number may send `per_second`, by its tenant's word and by the sandbox's."""
    with ExitStack() as stops:
        place = stops.enter_context(lab())
        url = stops.enter_context(sandbox(place, *numbers))
        client = SandboxClient(url)
        client.answer_after(*LATENCY)
        client.limit(per_second)
        asyncio.run(create_topics(place.bootstrap))
        limits = {"messages_per_second": per_second}
        tenants = place.tenants_file(Number(tenant_of(number), number, url, limits=limits) for number in numbers)
        env = place.environment(tenants, place.fresh("data"))
        worker = stops.enter_context(messenger(place, env))
        worker.process.wait_until(lambda: worker.ready)
        yield Site(place, numbers, per_second, url, client, worker)
