"""`limits`: campaigns of hours in virtual time, judged by the sandbox's limits. It needs no Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from bench.limits.crashes import RATE
from bench.limits.pair import AT_ONCE
from bench.limits.scenes import Report, measured
from bench.options import Options
from bench.report import Result, Table
from pipeline.errors import PipelineError

NUMBERS: Final = 20
KILLS, MOVES = 20, 10
MAX_MIB: Final = 300.0
"""MiB that a process may have, however many commands are queued, the provider and RocksDB included."""
PERMITS: Final = 10
"""Commands of the scene of permits alone, for each command of the backlog."""
CAMPAIGN_TIME, CRASH_TIME, BACKLOG_TIME = 6.0, 60.0, 12.0
"""Seconds of virtual time of each scene, for each second of a timed load."""

NOTES: Final = (
    "Time is virtual: nobody waits, and what takes no time here is the processor's work. Calls take 100 to 300 ms (one",
    "person's 20 to 100). The provider counts violations by the sandbox's limits, with a burst of 0.375 s.",
    "Used: of the limit less inbound messages, by the number that used the least. Lost: of it, by each new life.",
    "CPU: of one core for each message, the provider and RocksDB included. A run that breaks a bound has no figures.",
)
BACKLOG_NOTES: Final = (
    "All three numbers have one partition of commands.bulk. Replies: the median and the longest from their publication",
    "to their call, ms. In front: bulk commands that were sent before a reply of their own number, at most. The second",
    "campaign begins when the backlog has been read, at 20,000 records/s.",
)


def limits(options: Options, tell: Callable[[str], None]) -> Result:
    """Run all scenes. Raises `PipelineError` if one of them breaks a bound."""
    found: dict[str, Report] = {}
    for name, given in _scenes(options).items():
        found[name] = measured(name.partition(",")[0], *given)
        tell(f"{name}: {found[name].cpu:.0f} s of processor time, {len(found[name].problems)} bounds broken")
    if over := list(_problems(found)):
        raise PipelineError("; ".join(over))
    tables = [table(found), backlog_table(found["backlog"])]
    return Result("limits", tables, {name: {**report.figures, "cpu": report.cpu} for name, report in found.items()})


def _problems(found: Mapping[str, Report]) -> Iterator[str]:
    """Yield one line for each bound that was not kept."""
    for name, report in found.items():
        yield from (f"{name}: {line}" for line in report.problems)
        if (peak := report.figures.get("peak_mib", 0.0)) > MAX_MIB:
            yield f"{name}: {peak:.0f} MiB, of {MAX_MIB:.0f}"


def _scenes(options: Options) -> dict[str, tuple[object, ...]]:
    """Return what each scene is given, by its name and a comma before what tells it from others of the name."""
    return {
        "campaigns": (NUMBERS, options.seconds * CAMPAIGN_TIME),
        "crashes": (KILLS, MOVES, options.seconds * CRASH_TIME),
        "pair, bucket": ("bucket",),
        "pair, debt": ("debt",),
        "scheduler": (PERMITS * options.backlog,),
        "backlog": (options.backlog, options.seconds * BACKLOG_TIME),
    }


def table(found: Mapping[str, Report]) -> Table:
    """Return the scenes without a backlog."""
    campaigns, crashes, permits = (found[name].figures for name in ("campaigns", "crashes", "scheduler"))
    sent = sum(each["sent"] for each in campaigns["used"])
    least = min(each["sent"] / each["allowed"] for each in campaigns["used"])
    died = f"{crashes['kills']} kills, {crashes['moves']} rebalances"
    lost = (crashes["allowed"] - crashes["sent"]) / RATE / (1 + crashes["kills"] + crashes["moves"])
    permitted = permits["commands"] + permits["replies"]
    share = permitted / RATE / permits["seconds"]
    rows = [
        _row(f"{len(campaigns['used'])} numbers at 80/s", found["campaigns"], sent, f"used {least:.2%}"),
        _row(died, found["crashes"], crashes["accepted"], f"lost {lost:.2f} s"),
        *(_pair_row(reading, found[f"pair, {reading}"]) for reading in ("bucket", "debt")),
        _row("one number, permits alone", found["scheduler"], permitted, f"used {share:.2%}"),
    ]
    columns = ["scene", "virtual s", "messages", "of the allowance", "violations", "double", "missing", "CPU µs"]
    return Table("limits in virtual time", columns, rows, NOTES)


def _row(name: str, report: Report, messages: int, allowance: str) -> list[str]:
    figures = report.figures
    counts = [str(figures[each]) if each in figures else "" for each in ("violations", "doubles", "missing")]
    return [
        name,
        f"{figures['seconds']:,.0f}",
        f"{messages:,}",
        allowance,
        *counts,
        f"{report.cpu / messages * 1e6:.0f}",
    ]


def _pair_row(reading: str, report: Report) -> list[str]:
    times = report.figures["times"]
    return _row(f"50 to one person, {reading}", report, len(times), f"the 46th after {times[AT_ONCE]:.0f} s")


def backlog_table(report: Report) -> Table:
    """Return what happened beside the backlog."""
    found = report.figures
    row = [
        f"{found['queued']:,}",
        *(_waits(found[whose]) for whose in ("idle", "beside", "own")),
        str(found["in_front"]),
        f"{found['started']:.2f}",
        f"{found['campaign_share']:.1%}",
        f"{found['used']:.1%}",
        f"{found['peak_mib']:.0f}",
        f"{found['read_cpu']:.0f} / {found['send_cpu']:.0f}",
    ]
    columns = [
        "queued",
        "other, idle",
        "beside",
        "own replies",
        "in front",
        "second starts, s",
        "its share",
        "first's",
        "peak MiB",
        "CPU µs: read / send",
    ]
    return Table("beside a backlog of one number, in virtual time", columns, [row], BACKLOG_NOTES)


def _waits(waits: Mapping[str, Any]) -> str:
    return f"{waits['median'] * 1000:.1f} / {waits['longest'] * 1000:.1f}"
