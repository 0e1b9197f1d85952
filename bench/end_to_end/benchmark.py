"""Webhooks per second from the door to the sandbox, posted as fast as they are taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from bench.broker import create_topics
from bench.end_to_end.candidates import OURS, STOCK_CONCURRENT, STOCK_IN_ORDER, Candidate
from bench.end_to_end.stack import Stack, stack
from bench.lab import lab
from bench.load.task import Load, post
from bench.options import Options
from bench.report import Result, Table
from bench.spread import Spread

CANDIDATES: Final = (OURS, STOCK_IN_ORDER, STOCK_CONCURRENT)
WARM_UP: Final = 200
FOR_EVER: Final = 600.0

NOTES: Final = (
    "Four processes each; the sandbox, Kafka, Redis and the generator are on the same cores.",
    "Every webhook is marked as read, counted in Redis and answered: two calls to the provider. Limits are lifted.",
    "Clock: from the first POST to the last reply. Every webhook had exactly one reply.",
    "Right: CPU of each process per webhook, medians.",
    "Stock Faust in order handles one event at a time; 100 at once keeps no order, not even in a chat.",
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One round: webhooks per second at the door and from end to end; µs of CPU per webhook of each process."""

    taken: float
    answered: float
    costs: Mapping[str, float]


Rounds = Mapping[str, Sequence[Measured]]


def end_to_end(options: Options, tell: Callable[[str], None]) -> Result:
    rounds: dict[str, list[Measured]] = {candidate.name: [] for candidate in CANDIDATES}
    for number in range(options.rounds):
        for candidate in CANDIDATES:
            found = _measure(candidate, int(options.webhooks * candidate.share))
            rounds[candidate.name].append(found)
            tell(f"round {number + 1}: {candidate.name} {found.answered:,.0f} webhooks/s")
    figures = {name: [asdict(one) for one in found] for name, found in rounds.items()}
    return Result("end-to-end", [table(rounds)], figures)


def table(rounds: Rounds) -> Table:
    ours, ordered, concurrent = (answered(rounds[candidate.name]).median for candidate in CANDIDATES)
    rows = [
        [
            name,
            answered(found).text(),
            f"{answered(found).median / ordered:.1f}",
            Spread.of(one.taken for one in found).text(),
            *(f"{Spread.of(one.costs[process] for one in found).median:,.0f}" for process in PROCESSES),
        ]
        for name, found in rounds.items()
    ]
    columns = ["webhooks/s", "POST to reply", "x stock", "POST to 200", *(f"{p} µs" for p in PROCESSES)]
    title = f"POST to reply: {ours / ordered:.1f} x stock in order, {ours / concurrent:.1f} x stock 100 at once"
    return Table(title, columns, rows, NOTES)


PROCESSES: Final = ("ingress", "intake", "handlers", "messenger")


def answered(found: Sequence[Measured]) -> Spread:
    return Spread.of(one.answered for one in found)


def _measure(candidate: Candidate, webhooks: int) -> Measured:
    """On a broker of its own, so that nobody recovers what another has left."""
    with lab() as place:
        asyncio.run(create_topics(place.bootstrap))
        with stack(place, candidate) as started:
            warm = post(place, Load(started.port, seconds=FOR_EVER, count=WARM_UP))
            started.replies.wait_for(warm.accepted)
            before = started.cpu_seconds()
            answers = post(place, Load(started.port, WARM_UP, FOR_EVER, webhooks))
            arrived = started.replies.wait_for(answers.accepted)
            return Measured(
                answers.rate, webhooks / (max(arrived.values()) - answers.began), _costs(started, before, webhooks)
            )


def _costs(started: Stack, before: Mapping[str, float], webhooks: int) -> dict[str, float]:
    return {name: (spent - before[name]) / webhooks * 1e6 for name, spent in started.cpu_seconds().items()}
