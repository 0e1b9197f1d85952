"""The other one's time, crowded and idle, in paired rounds; and a light tenant beside a heavy one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Final

from bench.isolation.crowds import HEAVY, NOBODY, ROWS, Crowd
from bench.isolation.pair import Pair, measure
from bench.options import Options
from bench.report import Result, Table
from bench.spread import Spread, percentile
from pipeline.errors import PipelineError

TARGET: Final = 1.2
"""The median of the ratios of p99 that is promised, unless the idle system differs more from itself."""

NOTES: Final = (
    "Measured: another tenant with a number in the same partitions, 25 inputs a second. From when each was due to its",
    "effect at the sandbox. A round is a stack of its own, idle first, then beside the crowd. x idle: p99 in a round.",
    f"Within: the median is at most {TARGET}, or what the idle system was off itself in a round (first row).",
    "A crowd that works takes processor time from the other one. So both are paced: cores is how many were busy.",
)
HEAVY_NOTES: Final = (
    "The light tenant has 10 inputs a second. The heavy one has a thousand times as many, and all of them wait.",
    "From when each was due to its effect at the sandbox; all rounds together.",
)

Rounds = Mapping[Crowd, Sequence[Pair]]


def isolation(options: Options, tell: Callable[[str], None]) -> Result:
    rows, heavy = ([crowd for crowd in crowds if options.crowd in crowd.name] for crowds in (ROWS, HEAVY))
    if not rows + heavy:
        raise PipelineError(f"there is no crowd {options.crowd!r}: take a part of {', '.join(c.name for c in ROWS)}")
    found: dict[Crowd, list[Pair]] = {crowd: [] for crowd in (*rows, *heavy)}
    for number in range(options.rounds):
        for crowd, pairs in found.items():
            pairs.append(measure(crowd, options.seconds))
            tell(f"round {number + 1}: {crowd.name}: {_told(pairs[-1])}")
    figures = {crowd.name: [asdict(pair) for pair in pairs] for crowd, pairs in found.items()}
    tables = [table({crowd: found[crowd] for crowd in rows})] if rows else []
    tables += [heavy_table({crowd: found[crowd] for crowd in heavy})] if heavy else []
    return Result("isolation", tables, figures)


def table(found: Rounds) -> Table:
    itself = ratios(found.get(NOBODY, ()))
    rows = [
        [
            crowd.name,
            *(_spread(pairs, share, crowded) for share in (0.5, 0.99) for crowded in (False, True)),
            Spread.of(ratios(pairs)).text(2),
            f"{median(pair.idle.cores for pair in pairs):.1f} / {median(pair.crowded.cores for pair in pairs):.1f}",
            "" if crowd == NOBODY else "within" if within(ratios(pairs), itself) else "over",
        ]
        for crowd, pairs in found.items()
    ]
    columns = ["in one's way, ms", "p50 idle", "crowded", "p99 idle", "crowded", "x idle", "cores", ""]
    return Table("what the other gets", columns, rows, NOTES)


def heavy_table(found: Rounds) -> Table:
    rows = [
        [f"{crowd.name}; {name}", *(f"{percentile(times, share):,.1f}" for share in (0.5, 0.9, 0.99, 1.0))]
        for crowd, pairs in found.items()
        for name, times in (
            ("alone", [time for pair in pairs for time in pair.idle.times]),
            ("beside it", [time for pair in pairs for time in pair.crowded.times]),
        )
    ]
    return Table("a light tenant, 1 to 1,000", ["waiting time, ms", "p50", "p90", "p99", "longest"], rows, HEAVY_NOTES)


def ratios(pairs: Sequence[Pair]) -> list[float]:
    """Return how many times the idle p99 each round's crowded p99 is."""
    return [percentile(pair.crowded.times, 0.99) / percentile(pair.idle.times, 0.99) for pair in pairs]


def within(crowded: Sequence[float], itself: Sequence[float]) -> bool:
    """Return True if the median ratio is promised, or is one that the idle system shows against itself."""
    return median(crowded) <= max([TARGET, *itself, *(1 / ratio for ratio in itself)])


def _spread(pairs: Sequence[Pair], share: float, crowded: bool) -> str:
    return Spread.of(percentile((pair.crowded if crowded else pair.idle).times, share) for pair in pairs).text(1)


def _told(pair: Pair) -> str:
    idle, crowded = (percentile(one.times, 0.99) for one in (pair.idle, pair.crowded))
    return f"p99 {idle:.1f} ms idle, {crowded:.1f} ms beside it"
