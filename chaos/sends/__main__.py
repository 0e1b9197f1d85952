"""`python -m chaos.sends`: campaigns on messengers that are killed, moved and frozen; ends with 1 for any finding."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from chaos.options import Options
from chaos.place import console_of, place
from chaos.runner import Runner
from chaos.sends import report
from chaos.sends.numbers import RATE, setup
from chaos.sends.plan import plan
from chaos.sends.run import run
from chaos.stack import Stack
from pipeline.errors import PipelineError

WITHOUT = ("handlers", "redis")
"""Commands are published as they are, so nobody needs to make them."""
_USUAL = Options(seconds=900.0)


def main(
    *,
    seconds: Annotated[float, typer.Option(min=60, help="How long faults last; they are spread over it.")] = 900.0,
    seed: Annotated[int, typer.Option(help="What campaigns and faults follow from.")] = _USUAL.seed,
    rate: Annotated[float, typer.Option(min=8, help="Messages per second that the numbers may send, together.")] = RATE,
    window: Annotated[float, typer.Option(min=5, help="Seconds to wait for a status in doubt.")] = _USUAL.window,
    drain: Annotated[float, typer.Option(min=10, help="Seconds to come to rest afterwards.")] = _USUAL.drain,
    json: Annotated[Path | None, typer.Option(metavar="PATH", help="Write the report there.")] = None,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep data and logs in this new directory.")] = None,
    show_plan: Annotated[bool, typer.Option("--show-plan", help="Only print what would be done.")] = False,
) -> None:
    """Kill, move and freeze messengers during campaigns, and count every message and what its limit allowed."""
    options = Options(seconds, seed, rate, window=window, drain=drain)
    console = console_of(sys.stdout)
    if show_plan:
        for fault in plan(options):
            console.print(fault.line, highlight=False)
        return
    with place(keep) as directory:
        raise typer.Exit(_run(options, directory, json, console))


def _run(options: Options, directory: Path, json: Path | None, console: Console) -> int:
    stack = Stack(directory, options, without=WITHOUT, setup=setup(options))

    def say(line: str) -> None:
        console.print(f"  {line}", style="dim", highlight=False)

    done = Runner(stack, say, lambda: run(options, stack, say)).run()
    report.show(console, done, stack)
    if json:
        json.write_bytes(orjson.dumps(report.as_json(done, stack), option=orjson.OPT_INDENT_2))
    return 0 if done.good else 1


if __name__ == "__main__":
    try:
        typer.run(main)
    except PipelineError as error:
        sys.stderr.write(f"chaos.sends: {error}\n")
        raise SystemExit(1) from None
