"""`allowance`: the share of its limit that a campaign uses, while each answer takes a fifth of a second."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

from bench.isolation.other import Busy
from bench.options import Options
from bench.report import Result, Table
from bench.sends.site import AT_ONCE, LATENCY, Site, site, spread

TARGET: Final = 0.99
"""Share of the allowance that is promised for each number, on a machine that has nothing else to do."""
SETTLE: Final = 10.0
"""Seconds from the first message on in which all commands are read, and parked where several numbers have them."""
MORE: Final = 15.0
"""Seconds of further commands, so that the campaign does not end while it is measured."""
PATIENCE: Final = 60.0

_MS: Final = " to ".join(f"{seconds * 1000:.0f}" for seconds in LATENCY)
NOTES: Final = (
    f"Each answer takes {_MS} ms. All commands wait when it begins, each to another person.",
    f"used: of a number's limit, from {SETTLE:.0f} s after its first message on, when all commands have been read.",
    "From its first message on is beside it. Worst second: the fewest messages of any number in one.",
    f"Promised: {TARGET:.0%} for each number, and no message over a limit. CPU: all threads of the messenger.",
    f"A bare aiohttp loop at the same sandbox, {AT_ONCE} at once, shows what the sandbox takes on this machine.",
)


class Case(NamedTuple):
    """Numbers that send a campaign each, `rate` messages per second."""

    name: str
    numbers: int
    rate: float


CASES: Final = (Case("one number, 1,000 a second", 1, 1_000.0), Case("20 numbers, 40 a second each", 20, 40.0))


@dataclass(frozen=True, slots=True)
class Measured:
    """One round.

    Attributes:
        used: share of its allowance that each number used, once all commands were read.
        from_start: the same from its first message on.
        seconds: messages in each whole second of each number, once all commands were read.
        cpu: µs of CPU per message.
        cores: cores of the machine that were busy.
        bare: messages per second of the bare loop.
    """

    used: Sequence[float]
    from_start: Sequence[float]
    seconds: Sequence[Sequence[int]]
    cpu: float
    cores: float
    bare: float


Rounds = Mapping[Case, Sequence[Measured]]


def allowance(options: Options, tell: Callable[[str], None]) -> Result:
    found: dict[Case, list[Measured]] = {case: [] for case in CASES}
    for number in range(options.rounds):
        for case, measured in found.items():
            measured.append(measure(case, 6 * options.seconds))
            tell(f"round {number + 1}: {case.name}: {min(measured[-1].used):.2%} used, {measured[-1].cpu:.0f} µs")
    figures = {case.name: [asdict(each) for each in measured] for case, measured in found.items()}
    return Result("allowance", [table(found)], figures)


def table(found: Rounds) -> Table:
    rows = [
        [
            case.name,
            f"{min(min(each.used) for each in measured):.2%}",
            f"{median(share for each in measured for share in each.used):.2%}",
            f"{min(min(each.from_start) for each in measured):.2%}",
            f"{min(min(counts) for each in measured for counts in each.seconds):,} of {case.rate:,.0f}",
            f"{median(each.cpu for each in measured):,.0f}",
            f"{median(each.cores for each in measured):.1f}",
            f"{median(each.bare for each in measured):,.0f}",
            "within" if all(min(each.used) >= TARGET for each in measured) else "under",
        ]
        for case, measured in found.items()
    ]
    columns = [
        "a campaign of",
        "used: least",
        "median",
        "from start",
        "worst second",
        "CPU µs",
        "cores",
        "bare loop/s",
        "",
    ]
    return Table("the allowance that is used", columns, rows, NOTES)


def measure(case: Case, seconds: float) -> Measured:
    """Measure on a broker of its own. Raise `PipelineError` if a limit is exceeded, or a message sent twice."""
    with site(spread(case.numbers), case.rate) as place:
        bare = place.post_bare(0, int(10 * case.rate * case.numbers)).rate
        commands = int(case.rate * (SETTLE + seconds + MORE))
        for number, account in enumerate(place.numbers):
            place.queue(account, range(number * commands, (number + 1) * commands))
        cpu, cores = _costs(place, case, seconds)
        times = [[sent.at for sent in place.sandbox.sent(account)] for account in place.numbers]
        place.sandbox.require_no_violation()
    return Measured(
        [used_share(each, case.rate, seconds, SETTLE) for each in times],
        [used_share(each, case.rate, seconds) for each in times],
        [by_second(each, seconds, SETTLE) for each in times],
        cpu,
        cores,
        bare,
    )


def _costs(place: Site, case: Case, seconds: float) -> tuple[float, float]:
    """Wait until the campaign has gone on for so long. Return µs of CPU per message, and the cores that were busy."""
    place.sandbox.wait_until(lambda count: count >= case.numbers, PATIENCE)
    time.sleep(SETTLE)
    busy, process = Busy(), place.messenger.process
    before, sent = process.cpu_seconds(), place.sandbox.count()
    time.sleep(seconds)
    spent, more = process.cpu_seconds() - before, place.sandbox.count() - sent
    return spent / max(more, 1) * 1e6, busy.cores()


def used_share(times: Sequence[float], rate: float, seconds: float, after: float = 0.0) -> float:
    """Return the share of the allowance that was used in `seconds`, from so long `after` the first message on."""
    begin = times[0] + after
    return (bisect_left(times, begin + seconds) - bisect_left(times, begin)) / (rate * seconds)


def by_second(times: Sequence[float], seconds: float, after: float = 0.0) -> list[int]:
    """Return the messages in each whole second of the same time."""
    begin = times[0] + after
    edges: Iterable[int] = (bisect_left(times, begin + second) for second in range(int(seconds) + 1))
    return [later - earlier for earlier, later in pairwise(edges)]
