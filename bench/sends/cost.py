"""`send-cost`: the CPU of a send, beside a bare aiohttp loop that posts the same bodies to the same sandbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from bench.broker import size
from bench.options import Options
from bench.report import Result, Table
from bench.sends.site import AT_ONCE, LATENCY, Site, site, spread
from bench.spread import Spread
from pipeline.errors import PipelineError
from pipeline.topics.catalogue import OUTCOMES

TARGET: Final = 3.0
"""Times the CPU of the bare loop that are promised."""
WARM_UP: Final = 2_000
MANY: Final = 1_000_000.0
"""Messages per second that the number may send: more than it can."""
PATIENCE: Final = 300.0

_MS: Final = " to ".join(f"{seconds * 1000:.0f}" for seconds in LATENCY)
NOTES: Final = (
    "Commands of one number, each to another person. The pair limit is kept, the number's own allows everything.",
    "CPU of all threads of the process. The messenger's, from the first command read to the last outcome acknowledged:",
    "limits kept, an intent before each call and its state after it durable in Kafka, and an outcome published.",
    "The bare loop posts the same bodies to the same sandbox and reads the answers, in turns with the messenger.",
    f"Both have up to {AT_ONCE} calls in flight, of {_MS} ms. Promised: at most {TARGET:g} times the bare loop's CPU.",
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One round: µs of CPU per message, and messages per second, of the messenger and of the bare loop."""

    cost: float
    rate: float
    bare_cost: float
    bare_rate: float

    @property
    def ratio(self) -> float:
        return self.cost / self.bare_cost


def send_cost(options: Options, tell: Callable[[str], None]) -> Result:
    turns: list[Turn] = []
    commands = 2 * options.webhooks
    with site(spread(1), MANY) as place:
        _drain(place, range(WARM_UP))
        for number in range(options.rounds):
            first = WARM_UP + number * commands
            bare = place.post_bare(first, commands)
            turns.append(Turn(*_drain(place, range(first, first + commands)), bare.cost, bare.rate))
            tell(f"round {number + 1}: {turns[-1].cost:.0f} µs, {turns[-1].ratio:.2f} x bare")
        place.sandbox.require_no_violation()
    return Result("send-cost", [table(turns)], {"commands": commands, "rounds": [asdict(turn) for turn in turns]})


def table(turns: Sequence[Turn]) -> Table:
    ratio = Spread.of(turn.ratio for turn in turns)
    rows = [
        [
            "messenger",
            Spread.of(turn.cost for turn in turns).text(),
            ratio.text(2),
            Spread.of(turn.rate for turn in turns).text(),
            "within" if ratio.median <= TARGET else "over",
        ],
        [
            "bare aiohttp loop",
            Spread.of(turn.bare_cost for turn in turns).text(),
            "1.00",
            Spread.of(turn.bare_rate for turn in turns).text(),
            "",
        ],
    ]
    return Table("what a send costs", ["a send by", "CPU µs", "x bare", "messages/s", ""], rows, NOTES)


def _drain(place: Site, numbers: range) -> tuple[float, float]:
    """Let the messenger send these commands. Return µs of CPU per command, and commands per second."""
    bootstrap, process, (account,) = place.lab.bootstrap, place.messenger.process, place.numbers
    wanted = asyncio.run(size(bootstrap, OUTCOMES.name)) + len(numbers)
    before, began = process.cpu_seconds(), time.monotonic()
    place.queue(account, numbers)
    while (outcomes := asyncio.run(size(bootstrap, OUTCOMES.name))) < wanted:
        if time.monotonic() > began + PATIENCE:
            raise PipelineError(f"{wanted - outcomes:,} outcomes are missing after {PATIENCE:.0f} s")
        time.sleep(0.25)
    spent, seconds = process.cpu_seconds() - before, time.monotonic() - began
    sent = place.sandbox.sent(account)
    if {each.number for each in sent} != set(numbers):
        raise PipelineError(f"{len(sent):,} messages were sent of {len(numbers):,} commands")
    place.sandbox.forget()
    return spent / len(numbers) * 1e6, len(numbers) / seconds
