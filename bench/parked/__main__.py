"""`python -m bench.parked`: parks millions of commands of one account, and starts its worker again."""

from __future__ import annotations

import logging
import signal
import sys
from typing import Annotated

import typer
from rich.console import Console

from bench import machine, report
from bench.parked.benchmark import parked
from pipeline.errors import PipelineError

WIDTH = 118


def main(*, records: Annotated[int, typer.Option(min=1_000, help="Commands that are parked.")] = 10_000_000) -> None:
    """Park many commands of one account that is away, kill the worker, and start it with its volume and without."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: servers stop, the directory goes
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # new topics have no leader for a moment
    console = Console(width=max(WIDTH, Console().width))
    this = machine.describe()
    for line in machine.lines(this):
        console.print(line, highlight=False)
    result = parked(records, lambda line: console.print(f"  {line}", style="dim", highlight=False))
    for table in result.tables:
        report.show(console, table)
    console.print(f"Figures: {report.write(this, [result])}", highlight=False)


if __name__ == "__main__":
    try:
        typer.run(main)
    except PipelineError as error:
        print(f"bench: {error}", file=sys.stderr)
        raise SystemExit(1) from None
