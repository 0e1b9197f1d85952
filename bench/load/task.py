"""The task of the load generator, and its result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from bench import webhooks
from bench.lab import Lab
from bench.process import Process, running
from bench.spread import percentile
from pipeline.errors import PipelineError

PATH = "/webhooks/cloud"
PATIENCE = 120.0
"""Seconds that a load may take longer than planned."""


@dataclass(frozen=True, slots=True)
class Load:
    """Webhooks from number `first` on, to `port` on this machine.

    Attributes:
        seconds: how long new ones are begun.
        count: how many at most.
        rate: webhooks per second, begun on time whatever became of those before (open loop); 0 posts the next one
            on each connection when the last one is answered (closed loop).
        account: the number that they are for.
        senders: who writes them, in turn; empty: many people.
    """

    port: int
    first: int = 0
    seconds: float = 10.0
    count: int = 10_000_000
    rate: float = 0.0
    connections: int = 64
    account: str = webhooks.ACCOUNT
    senders: Sequence[str] = ()

    def body(self, number: int) -> bytes:
        """Return webhook `number`."""
        return webhooks.body(number, self.account, self.senders[number % len(self.senders)] if self.senders else "")


@dataclass(frozen=True, slots=True)
class Answers:
    """The responses.

    Attributes:
        seconds: from the first request to the last answer.
        latencies: ms of each webhook; in an open loop from the instant when it was due.
        accepted: the numbers of those that were answered with 200.
        refused: how many were answered with anything else, or not at all.
        began: when the first one was due, seconds since the epoch; with `rate`, the others follow from it.
    """

    seconds: float
    latencies: Sequence[float]
    accepted: Sequence[int]
    refused: int
    began: float

    @property
    def rate(self) -> float:
        """Accepted webhooks per second."""
        return len(self.accepted) / self.seconds

    def latency(self, share: float) -> float:
        """Return a percentile, in ms."""
        return percentile(self.latencies, share)


def post(lab: Lab, load: Load) -> Answers:
    """Run the generator. Raise `PipelineError` if it fails, or if anything was refused: then nothing was measured."""
    with _generator(lab, load) as (process, result):
        process.wait(load.seconds + PATIENCE)
    answers = Answers(**orjson.loads(result.read_bytes()))
    if answers.refused:
        raise PipelineError(f"{answers.refused:,} of {len(answers.latencies):,} webhooks were not answered with 200")
    return answers


@contextmanager
def posting(lab: Lab, load: Load) -> Iterator[None]:
    """Run the generator meanwhile, whatever is answered."""
    with _generator(lab, load):
        yield


@contextmanager
def _generator(lab: Lab, load: Load) -> Iterator[tuple[Process, Path]]:
    place = lab.fresh("load")
    given, result = place / "load.json", place / "answers.json"
    given.write_bytes(orjson.dumps(asdict(load)))
    with running(lambda: lab.spawn(place.name, "bench.load", str(given), str(result))) as (process,):
        yield process, result
