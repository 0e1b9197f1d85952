"""Ours, stock Faust and bare aiokafka, in turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from bench.broker import PARTITIONS, create_topics, load, renew, rewind
from bench.candidate import Measured, Task, run
from bench.intake.breakdown import breakdown
from bench.intake.candidates import BARE, CANDIDATES, OURS, STOCK, Candidate
from bench.intake.verify import CHANGELOG, OUTPUT, verify
from bench.lab import Lab, lab
from bench.options import Options
from bench.report import Result, Table
from bench.spread import Spread

Rounds = Mapping[str, Sequence[Measured]]
"""The results of the candidates, by name."""

NOTES = (
    "One process each, the broker on the same cores. CPU is the client's, all threads.",
    "Stock Faust does not await acknowledgements; its clock stops when a last flush has got them all.",
    "Bare aiokafka passes records through: no stages, no table, no changelog.",
    "After every run each event was counted on the output topic, and each mark in the changelog: exactly one.",
)


def intake(options: Options, tell: Callable[[str], None]) -> Result:
    with lab() as place:
        return _compare(place, options, tell)


def _compare(place: Lab, options: Options, tell: Callable[[str], None]) -> Result:
    asyncio.run(_prepare(place, options))
    rounds: dict[str, list[Measured]] = {candidate.name: [] for candidate in CANDIDATES}
    for number in range(options.rounds):
        for candidate in CANDIDATES:
            found = _measure(place, candidate, _count(candidate, options))
            rounds[candidate.name].append(found)
            tell(f"round {number + 1}: {candidate.name} {found.rate:,.0f} events/s")
    parts, costs = breakdown(place, options.records, cost(rounds[OURS.name]).median)
    figures = {name: [asdict(found) for found in measured] for name, measured in rounds.items()}
    return Result("intake", [table(rounds), parts], {"rounds": figures, "parts": costs})


def table(rounds: Rounds) -> Table:
    """Rates and costs, and what they are to the others'."""
    ours, stock, bare = (rate(rounds[candidate.name]).median for candidate in (OURS, STOCK, BARE))
    least = cost(rounds[BARE.name]).median
    rows = [
        [
            name,
            rate(found).text(),
            f"{rate(found).median / stock:.1f}",
            f"{rate(found).median / bare:.2f}",
            cost(found).text(1),
            f"{cost(found).median / least:.1f}",
            f"{max(one.memory for one in found) / 2**20:,.0f}",
        ]
        for name, found in rounds.items()
    ]
    columns = ["intake chain", "events/s", "x stock", "x bare", "CPU µs/event", "x bare", "MiB"]
    title = f"consume → parse ▸ deduplicate ▸ route → produce: {ours / stock:.1f} x stock, {ours / bare:.2f} x bare"
    return Table(title, columns, rows, NOTES)


def rate(found: Sequence[Measured]) -> Spread:
    """Events per second."""
    return Spread.of(one.rate for one in found)


def cost(found: Sequence[Measured]) -> Spread:
    """µs of CPU per event."""
    return Spread.of(one.cost for one in found)


def _count(candidate: Candidate, options: Options) -> int:
    return int(options.records * candidate.share)


async def _prepare(lab: Lab, options: Options) -> None:
    await create_topics(lab.bootstrap)
    for source, count in {candidate.source: _count(candidate, options) for candidate in CANDIDATES}.items():
        await load(lab.bootstrap, source, range(count))


def _measure(lab: Lab, candidate: Candidate, records: int) -> Measured:
    asyncio.run(_reset(lab.bootstrap, candidate))
    tenants = lab.tenants("http://127.0.0.1:9")
    task = Task(lab.bootstrap, candidate.source, records, PARTITIONS, str(tenants), str(lab.fresh("tables")))
    found = run(lab, candidate.module, task)
    asyncio.run(verify(lab.bootstrap, candidate.name, records, chain=candidate.chain))
    return found


async def _reset(bootstrap: str, candidate: Candidate) -> None:
    """An empty output, an empty changelog, a group at the start: the same for everyone."""
    await renew(bootstrap, [OUTPUT, CHANGELOG])
    await rewind(bootstrap, candidate.group, candidate.source)
