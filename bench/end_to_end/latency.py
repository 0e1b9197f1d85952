"""The latency of a reply at a steady, low rate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bench.broker import create_topics
from bench.end_to_end.candidates import OURS, STOCK_IN_ORDER, STOCK_PROMPT, Candidate
from bench.end_to_end.stack import stack
from bench.lab import lab
from bench.load.task import Load, post
from bench.options import Options
from bench.report import Result, Table
from bench.spread import Spread, percentile

RATE: Final = 50.0
"""Webhooks per second."""
CANDIDATES: Final = (OURS, STOCK_IN_ORDER, STOCK_PROMPT)

NOTES: Final = (
    "50 webhooks a second; from the instant when each was due to the entry of its reply in the sandbox's ledger.",
    "Linger 20 ms is what makes stock Faust fast under load; linger 0, its default, what makes it prompt.",
)


def latency(options: Options, tell: Callable[[str], None]) -> Result:
    rounds: dict[str, list[list[float]]] = {candidate.name: [] for candidate in CANDIDATES}
    for number in range(options.rounds):
        for candidate in CANDIDATES:
            found = _measure(candidate, 2 * options.seconds)
            rounds[candidate.name].append(found)
            tell(f"round {number + 1}: {candidate.name} p50 {percentile(found, 0.5):.1f} ms")
    return Result("latency", [table(rounds)], rounds)


def table(rounds: Mapping[str, Sequence[Sequence[float]]]) -> Table:
    rows = [
        [name, *(Spread.of(percentile(one, share) for one in found).text(1) for share in (0.5, 0.9, 0.99, 1.0))]
        for name, found in rounds.items()
    ]
    columns = ["POST to reply, ms", "p50", "p90", "p99", "longest"]
    return Table("latency from end to end at 50 webhooks/s", columns, rows, NOTES)


def _measure(candidate: Candidate, seconds: float) -> list[float]:
    """ms of each webhook."""
    with lab() as place:
        asyncio.run(create_topics(place.bootstrap))
        with stack(place, candidate) as started:
            warm = post(place, Load(started.port, seconds=2.0, rate=RATE))
            started.replies.wait_for(warm.accepted)
            first = len(warm.accepted)
            answers = post(place, Load(started.port, first, seconds, rate=RATE))
            arrived = started.replies.wait_for(answers.accepted)
    return [(at - answers.began - (number - first) / RATE) * 1000 for number, at in arrived.items()]
