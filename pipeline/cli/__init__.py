"""The command line: `pipeline VERB`, one verb a file. Exit status: 0 good, 1 failed, 2 wrong usage."""

from __future__ import annotations

import os
import sys

import typer
from dotenv import load_dotenv

from pipeline.cli import doctor, ingress, sandbox, topics, up, worker
from pipeline.errors import PipelineError

app = typer.Typer(
    name="pipeline",
    help="WhatsApp Pipeline: one webhook, one effect, whatever dies.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("ingress")(ingress.ingress)
app.command("worker")(worker.worker)
app.command("sandbox")(sandbox.sandbox)
app.add_typer(topics.app, name="topics")
app.command("doctor")(doctor.doctor)


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show a traceback instead of one line."),
) -> None:
    if debug:
        os.environ["PIPELINE_DEBUG"] = "1"


def main() -> None:
    """The console script."""
    load_dotenv(".env")
    try:
        app()
    except PipelineError as error:
        if os.environ.get("PIPELINE_DEBUG"):
            raise
        print(f"pipeline: {error}", file=sys.stderr)
        raise SystemExit(1) from None
