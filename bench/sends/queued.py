"""`queued`: who waits behind a million commands of one number, in the partition of which they are."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from bench.options import Options
from bench.report import Result, Table
from bench.sends.replies import Overtaken, replies, replies_of_the_crowded
from bench.sends.second import Second, second_campaign
from bench.sends.site import Site, site, together
from bench.spread import Spread, percentile

RATE: Final = 80.0
"""Messages per second of each number."""
WARM_UP: Final = 8.0
"""Seconds. A broker that has just started compiles itself, and takes a core for it."""
SLOWEST: Final = 5_000.0
"""Commands per second that are parked at least. A slower run ends with an error."""
IN_MEMORY: Final = 5_000
"""Commands that may be in memory, or on their way, once all others are parked."""
MAX_MIB: Final = 300.0
"""MiB of the messenger, however many commands are queued."""
MAX_START: Final = 2.0
"""Seconds until a second campaign of the same partition begins."""
LEAST_RATE: Final = 0.95
"""Share of its own rate that it reaches."""
SHARES: Final = (0.5, 0.99)

NOTES: Final = (
    "Three numbers with one partition of commands.bulk and one messenger; each may send 80 a second, and each answer",
    "takes 100 to 300 ms. One has the queue. Another one's replies are measured twice on the idle messenger, and then",
    "beside the queue: from when a command was due on commands.interactive to its message at the sandbox.",
    "x idle: of a round, to its first measurement. Within: the median is one that the idle messenger shows itself.",
)
OTHER_NOTES: Final = (
    "Same number: bulk messages that went between the instant when its reply was due and the reply. Allowed are as",
    "many as go in the p99 of an idle reply, and one whose permit was drawn already.",
    "Second campaign: of the third number, published at once. From then to its first message, and what it and the",
    "first campaign had of their own rates from then on. Peak: resident memory of the messenger.",
)


@dataclass(frozen=True, slots=True)
class Pair:
    """One round.

    Attributes:
        idle: ms of each reply of another number on the idle messenger.
        again: the same, measured again.
        queued: the same beside the queue.
        same: the replies of the number that has the queue.
        second: the campaign of a third number.
        peak: MiB of the messenger.
    """

    idle: Sequence[float]
    again: Sequence[float]
    queued: Sequence[float]
    same: Overtaken
    second: Second
    peak: float


def queued(options: Options, tell: Callable[[str], None]) -> Result:
    pairs: list[Pair] = []
    for number in range(options.rounds):
        pairs.append(_measure(options.backlog, options.seconds, tell))
        tell(f"round {number + 1}: {_told(pairs[-1])}")
    figures: dict[str, Any] = {"commands": options.backlog, "rounds": [asdict(pair) for pair in pairs]}
    return Result("queued", [waits_table(options.backlog, pairs), others_table(pairs)], figures)


def _measure(commands: int, seconds: float, tell: Callable[[str], None]) -> Pair:
    with site(together(3), RATE) as place:
        one, other, third = place.numbers
        replies(place, other, WARM_UP)
        idle, again = replies(place, other, seconds), replies(place, other, seconds)
        began = time.monotonic()
        place.queue(one, range(commands))
        _wait_until_parked(place, commands)
        tell(f"{commands:,} commands published and parked in {time.monotonic() - began:.0f} s")
        beside = replies(place, other, seconds)
        same = replies_of_the_crowded(place, one, seconds)
        second = second_campaign(place, third, one, RATE, 2 * seconds)
        place.sandbox.require_no_violation()
        return Pair(idle, again, beside, same, second, place.messenger.seen.peak)


def _wait_until_parked(place: Site, commands: int) -> None:
    def enough() -> bool:
        return place.messenger.parked() + place.sandbox.count() >= commands - IN_MEMORY

    place.messenger.until(enough, 60.0 + commands / SLOWEST, "end of parking")


def waits_table(commands: int, pairs: Sequence[Pair]) -> Table:
    rows = [_row(pairs, share) for share in SHARES]
    columns = ["reply, ms", "idle", "idle again", "beside the queue", "x idle: idle", "beside the queue", ""]
    return Table(f"another number's replies beside {commands:,} commands", columns, rows, NOTES)


def _row(pairs: Sequence[Pair], share: float) -> list[str]:
    parts = [[percentile(times, share) for times in each] for each in _times(pairs)]
    itself, beside = ratios(pairs, share)
    return [
        f"p{share * 100:.0f}",
        *(Spread.of(part).text(1) for part in parts),
        *(Spread.of(found).text(2) for found in (itself, beside)),
        "within" if within(itself, beside) else "over",
    ]


def _times(pairs: Sequence[Pair]) -> list[list[Sequence[float]]]:
    return [[pair.idle for pair in pairs], [pair.again for pair in pairs], [pair.queued for pair in pairs]]


def ratios(pairs: Sequence[Pair], share: float) -> tuple[list[float], list[float]]:
    """Return how many times the first idle wait the second one is, and the one beside the queue, round by round."""
    idle, again, beside = ([percentile(times, share) for times in each] for each in _times(pairs))
    return [b / a for a, b in zip(idle, again, strict=True)], [b / a for a, b in zip(idle, beside, strict=True)]


def within(itself: Sequence[float], beside: Sequence[float]) -> bool:
    """Return True if the median is not above what the idle messenger differs from itself in a round."""
    return median(beside) <= max([*itself, *(1 / ratio for ratio in itself)])


def others_table(pairs: Sequence[Pair]) -> Table:
    rows = [
        ["same number's reply, ms, p50", _over_all(pair.same.waits for pair in pairs), ""],
        ["bulk messages before it, most", _most(pairs), _kept(all(in_turn(pair) for pair in pairs))],
        [
            "second campaign begins after, s",
            Spread.of(pair.second.began for pair in pairs).text(2),
            _kept(all(pair.second.began <= MAX_START for pair in pairs)),
        ],
        [
            "share of its own rate",
            Spread.of(pair.second.share for pair in pairs).text(3),
            _kept(all(pair.second.share >= LEAST_RATE for pair in pairs)),
        ],
        ["the first one's meanwhile", Spread.of(pair.second.first_share for pair in pairs).text(3), ""],
        [
            "messenger's peak, MiB",
            Spread.of(pair.peak for pair in pairs).text(),
            _kept(all(pair.peak <= MAX_MIB for pair in pairs)),
        ],
    ]
    return Table("the same partition", ["beside the queue", "median (rounds)", ""], rows, OTHER_NOTES)


def _over_all(waits: Any) -> str:
    return Spread.of(percentile(each, 0.5) for each in waits).text(1)


def _most(pairs: Sequence[Pair]) -> str:
    return f"{max(max(pair.same.bulk_before) for pair in pairs)} of {max(allowed_before(pair) for pair in pairs)}"


def _kept(is_kept: bool) -> str:
    return "within" if is_kept else "over"


def allowed_before(pair: Pair) -> int:
    """Return how many bulk messages may go before a reply: those of an idle reply's p99, and one."""
    return 1 + math.ceil(RATE * percentile([*pair.idle, *pair.again], 0.99) / 1000)


def in_turn(pair: Pair) -> bool:
    """Return True if no reply of the number with the queue waited for further bulk messages."""
    return max(pair.same.bulk_before) <= allowed_before(pair)


def _told(pair: Pair) -> str:
    idle, again, beside = (percentile(each, 0.99) for each in (pair.idle, pair.again, pair.queued))
    waits = f"p99 {idle:.0f} and {again:.0f} ms idle, {beside:.0f} beside the queue"
    second = f"second campaign after {pair.second.began:.2f} s at {pair.second.share:.1%}"
    return f"{waits}; {max(pair.same.bulk_before)} before a reply; {second}; {pair.peak:.0f} MiB"
