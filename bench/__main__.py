"""`python -m bench`: measures, prints tables, writes the figures to bench/results/."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Annotated

import typer
from rich.console import Console

from bench import machine, report
from bench.backlog.benchmark import backlog as backlog_benchmark
from bench.end_to_end.benchmark import end_to_end
from bench.end_to_end.latency import latency
from bench.ingress.benchmark import ingress
from bench.intake.benchmark import intake
from bench.isolation.benchmark import isolation
from bench.limits.benchmark import limits
from bench.options import NAMES, Options
from bench.parse.benchmark import parse
from bench.report import Result
from bench.sends.allowance import allowance
from bench.sends.cost import send_cost
from bench.sends.queued import queued
from bench.tenants.benchmark import tenants
from pipeline.errors import PipelineError

WIDTH = 118
"""Columns that the tables need; also where the output goes to a file."""

Benchmark = Callable[[Options, Callable[[str], None]], Result]

BENCHMARKS: Mapping[str, Benchmark] = {
    "parse": parse,
    "intake": intake,
    "ingress": ingress,
    "end-to-end": end_to_end,
    "latency": latency,
    "backlog": backlog_benchmark,
    "tenants": tenants,
    "isolation": isolation,
    "allowance": allowance,
    "send-cost": send_cost,
    "queued": queued,
    "limits": limits,
}


def main(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="One round of little: does everything work?")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"Any of {', '.join(NAMES)}; may be given again.")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Length of each timed load.")] = None,
    records: Annotated[int | None, typer.Option(min=1000, help="Webhooks that intake reads.")] = None,
    webhooks: Annotated[int | None, typer.Option(min=100, help="Webhooks that go end to end.")] = None,
    backlog: Annotated[int | None, typer.Option(min=1000, help="Records that wait in backlog and limits.")] = None,
    hold: Annotated[float | None, typer.Option(min=1, help="Seconds for which each worker is looked at then.")] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Turns of each candidate.")] = None,
    crowd: Annotated[str | None, typer.Option(help="isolation: only crowds whose names contain this.")] = None,
    peers: Annotated[str | None, typer.Option(help="A Python 3.12 or newer: parse runs Wappa and PyWa too.")] = None,
) -> None:
    """Measure this pipeline, beside stock Faust and raw clients, on this machine."""
    unknown = sorted(set(only or ()) - set(NAMES))
    if unknown:
        raise typer.BadParameter(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(NAMES)}")
    given = {
        "seconds": seconds,
        "records": records,
        "webhooks": webhooks,
        "backlog": backlog,
        "hold": hold,
        "rounds": rounds,
        "crowd": crowd,
        "peers": peers,
    }
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: servers stop, the directory goes
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # new topics have no leader for a moment
    _run(Options.chosen(quick=quick, only=tuple(only or NAMES), **given), Console(width=max(WIDTH, Console().width)))


def _run(options: Options, console: Console) -> None:
    this = machine.describe()
    for line in machine.lines(this):
        console.print(line, highlight=False)
    results = [_one(name, options, console) for name in options.only]
    console.print(f"Figures: {report.write(this, results)}", highlight=False)


def _one(name: str, options: Options, console: Console) -> Result:
    elsewhere = machine.Elsewhere()
    result = BENCHMARKS[name](options, lambda line: console.print(f"  {line}", style="dim", highlight=False))
    for table in result.tables:
        report.show(console, table)
    console.print(f"  Meanwhile {elsewhere.cores():.2f} cores were busy with something else.\n", style="dim")
    return result


if __name__ == "__main__":
    try:
        typer.run(main)
    except PipelineError as error:
        print(f"bench: {error}", file=sys.stderr)
        raise SystemExit(1) from None
