"""The command line `pipeline VERB`: one file per verb. Exit status: 0 good, 1 failed, 2 wrong usage."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer
from dotenv import load_dotenv

from pipeline.cli import (
    accounts,
    dead_letters,
    doctor,
    ingress,
    lag,
    new_agent,
    new_handler,
    new_project,
    parked,
    sandbox,
    tenants,
    topics,
    up,
    worker,
)
from pipeline.errors import PipelineError
from pipeline.local.data_dir import announced

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
app.add_typer(dead_letters.app, name="dead-letters")
app.command("lag")(lag.lag)
app.command("parked")(parked.parked)
app.add_typer(accounts.app, name="accounts")
app.add_typer(tenants.app, name="tenants")
app.command("doctor")(doctor.doctor)
app.command("new-agent")(new_agent.new_agent)
app.command("new-handler")(new_handler.new_handler)
app.command("new-project")(new_project.new_project)


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show a traceback instead of one line."),
) -> None:
    if debug:
        os.environ["PIPELINE_DEBUG"] = "1"


def main(arguments: list[str] | None = None) -> None:
    """Run the console script. `arguments` default to those of the process."""
    load_dotenv(".env")
    import_from_here_too()
    _join_running_stack()
    try:
        app(arguments)
    except Exception as error:
        if os.environ.get("PIPELINE_DEBUG"):
            raise
        print(f"pipeline: {_in_one_line(error)}", file=sys.stderr)
        raise SystemExit(1) from None


def import_from_here_too() -> None:
    """Append the working directory to `sys.path`, so that your handlers can be imported from it.

    It comes last: in front, a folder here would hide an installed package of the same name.
    """
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)


def _join_running_stack() -> None:
    """Use the stack of a `pipeline up` that runs in this directory, unless the settings name another Kafka."""
    if "PIPELINE_KAFKA" not in os.environ:
        for name, value in announced(Path(os.environ.get("PIPELINE_DATA_DIR", ".pipeline"))).items():
            os.environ.setdefault(name, value)


def _in_one_line(error: Exception) -> str:
    if isinstance(error, PipelineError):
        return str(error)
    return f"unexpected {type(error).__name__}: run again with --debug (or PIPELINE_DEBUG=1) to see where"
