"""`python -m chaos.fuzz`: hostile webhooks through the intake; ends with 1 when one is lost or breaks it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from chaos.fuzz import report
from chaos.fuzz.campaign import campaign
from chaos.fuzz.handler import PATH
from chaos.options import Options
from chaos.place import console_of, place
from chaos.runner import Runner
from chaos.stack import Stack
from pipeline.errors import PipelineError

WITHOUT = ("sandbox", "messenger")
"""Nothing is sent, so nobody needs to take it."""


def main(
    *,
    inputs: Annotated[int, typer.Option(min=1, help="How many are tried.")] = 2_000,
    seed: Annotated[int, typer.Option(help="What they follow from, alone.")] = 1,
    json: Annotated[Path | None, typer.Option(metavar="PATH", help="Write the report there.")] = None,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep data and logs in this new directory.")] = None,
) -> None:
    """Post malformed, hostile and huge webhooks, and count where each has ended."""
    console = console_of(sys.stdout)
    with place(keep) as directory:
        raise typer.Exit(_run(inputs, seed, directory, json, console))


def _run(inputs: int, seed: int, directory: Path, json: Path | None, console: Console) -> int:
    stack = Stack(directory, Options(), without=WITHOUT, handler=PATH)

    def say(line: str) -> None:
        console.print(f"  {line}", style="dim", highlight=False)

    run = Runner(stack, say, lambda: campaign(seed, inputs, stack, say)).run()
    grown = stack.memory.grown()
    report.show(console, run, grown)
    if json:
        json.write_bytes(orjson.dumps(report.as_json(run, grown), option=orjson.OPT_INDENT_2))
    return 0 if run.verdict.good else 1


if __name__ == "__main__":
    try:
        typer.run(main)
    except PipelineError as error:
        sys.stderr.write(f"chaos.fuzz: {error}\n")
        raise SystemExit(1) from None
