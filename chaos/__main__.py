"""`python -m chaos`: kills at random, counts every effect, ends with 1 when one is missing, double or out of order."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from chaos import report
from chaos.campaign import campaign
from chaos.options import Options
from chaos.place import console_of, place
from chaos.plan import plan
from chaos.runner import Runner
from chaos.stack import Stack
from chaos.target import Target
from pipeline.errors import PipelineError, UsageError

_USUAL = Options()


def main(
    *,
    seconds: Annotated[float, typer.Option(min=5, help="How long traffic and faults last.")] = _USUAL.seconds,
    seed: Annotated[int, typer.Option(help="What traffic and faults follow from.")] = _USUAL.seed,
    rate: Annotated[float, typer.Option(min=1, help="Webhooks per second.")] = _USUAL.rate,
    kill_every: Annotated[float, typer.Option(min=1, help="Seconds between kills, on average.")] = _USUAL.kill_every,
    freeze_every: Annotated[
        float, typer.Option(min=0, help="Seconds between workers that are stopped for longer than a session; 0: none.")
    ] = _USUAL.freeze_every,
    contacts: Annotated[int, typer.Option(min=10, help="People who write.")] = _USUAL.contacts,
    window: Annotated[float, typer.Option(min=5, help="Seconds to wait for a status in doubt.")] = _USUAL.window,
    drain: Annotated[float, typer.Option(min=10, help="Seconds to come to rest afterwards.")] = _USUAL.drain,
    on: Annotated[Target, typer.Option(help="Kill this pipeline, or the same stages on stock Faust.")] = _USUAL.on,
    crashers: Annotated[int, typer.Option(min=0, help="Messages that crash or block their handler.")] = _USUAL.crashers,
    noisy: Annotated[
        bool,
        typer.Option(
            "--noisy",
            help="Add noisy neighbours: a hot conversation, an absent gateway, a raising hook, a hanging host.",
        ),
    ] = False,
    agents: Annotated[
        bool, typer.Option("--agents", help="Run agents beside the bot: one counts, one raises, one is slow.")
    ] = False,
    json: Annotated[Path | None, typer.Option(metavar="PATH", help="Write the report there.")] = None,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep data and logs in this new directory.")] = None,
    show_plan: Annotated[bool, typer.Option("--show-plan", help="Only print what would be done.")] = False,
) -> None:
    """Drive the whole pipeline, kill its parts at random, and count every effect."""
    options = Options(
        seconds, seed, rate, kill_every, freeze_every, contacts, window, drain, on, crashers, noisy, agents
    )
    if noisy and on.stock:
        raise UsageError("stock Faust parks nothing: run --noisy without --on")
    if agents and on.stock:
        raise UsageError("stock Faust has no agents beside its handlers: run --agents without --on")
    console = console_of(sys.stdout)
    if show_plan:
        for fault in plan(options):
            console.print(fault.line, highlight=False)
        return
    with place(keep) as directory:
        raise typer.Exit(_run(options, directory, json, console))


def _run(options: Options, directory: Path, json: Path | None, console: Console) -> int:
    stack = Stack(directory, options)

    def say(line: str) -> None:
        console.print(f"  {line}", style="dim", highlight=False)

    run = Runner(stack, say, lambda: campaign(options, stack, say)).run()
    report.show(console, run, stack)
    if json:
        json.write_bytes(orjson.dumps(report.as_json(run, stack), option=orjson.OPT_INDENT_2))
    return 0 if run.verdict.good else 1


if __name__ == "__main__":
    try:
        typer.run(main)
    except PipelineError as error:
        sys.stderr.write(f"chaos: {error}\n")
        raise SystemExit(1) from None
