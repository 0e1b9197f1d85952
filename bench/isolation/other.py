"""The one that is measured: a tenant that has nothing to do with the crowd but the partitions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Final, Protocol

import psutil

from bench import webhooks
from bench.accounts import contacts_in
from bench.broker import PARTITIONS, feed
from bench.commands import maker
from bench.end_to_end.stack import Stack
from bench.isolation.crowds import Crowd
from bench.lab import Lab
from bench.load.task import Load, post
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.topics.catalogue import COMMANDS_BULK
from pipeline.topics.keys import conversation_key

SENDERS: Final = 200


class Other(Protocol):
    """Gives inputs at a steady rate, and knows when each has had its effect."""

    def measure(self, seconds: float) -> list[float]:
        """Return ms from each input, due at its time, to its entry in the sandbox's ledger."""


class Conversations:
    """People who write to its number, all in one partition: that of the crowd's first conversation."""

    def __init__(self, lab: Lab, stack: Stack, crowd: Crowd, account: str) -> None:
        self._lab = lab
        self._stack = stack
        self._rate = crowd.other_rate
        self._first = 0
        key = conversation_key("cloud", account, webhooks.contact(0))
        same = contacts_in(partition_of(key.encode(), PARTITIONS), webhooks.ACCOUNT, PARTITIONS)
        self._senders: Sequence[str] = tuple(islice(same, SENDERS))

    def measure(self, seconds: float) -> list[float]:
        load = Load(self._stack.port, self._first, seconds, rate=self._rate, senders=self._senders)
        answers = post(self._lab, load)
        arrived = self._stack.replies.wait_for(answers.accepted)
        first, self._first = self._first, self._first + len(answers.accepted)
        return since_due(arrived, answers.began, first, self._rate)


class Campaign:
    """Commands in bulk of its number, in the partition of the crowd's."""

    def __init__(self, lab: Lab, stack: Stack, crowd: Crowd) -> None:
        self._lab = lab
        self._stack = stack
        self._rate = crowd.other_rate
        self._first = 0

    def measure(self, seconds: float) -> list[float]:
        numbers = range(self._first, self._first + int(seconds * self._rate))
        began = asyncio.run(feed(self._lab.bootstrap, COMMANDS_BULK.name, numbers, self._rate, maker()))
        arrived = self._stack.replies.wait_for(numbers)
        self._first = numbers.stop
        return since_due(arrived, began, numbers.start, self._rate)


def since_due(arrived: dict[int, float], began: float, first: int, rate: float) -> list[float]:
    """Return the ms of each number since it was due. The first one was due when it began."""
    return [(at - began - (number - first) / rate) * 1000 for number, at in arrived.items()]


class Busy:
    """How many cores are busy, since it was made."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def cores(self) -> float:
        now, before = psutil.cpu_times(), self._before
        idle = (now.idle + getattr(now, "iowait", 0.0)) - (before.idle + getattr(before, "iowait", 0.0))
        total = sum(now[:8]) - sum(before[:8])
        return (1 - idle / total) * (psutil.cpu_count() or 1) if total else 0.0
