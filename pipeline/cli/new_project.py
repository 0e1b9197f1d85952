"""`pipeline new-project NAME`: everything that a bot of one's own begins with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

HANDLER: Final = "bot"
AGENT: Final = "visits"


def new_project(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of your package and tenant, e.g. shop.")],
) -> None:
    """Write a project into this folder: package, handler, agent, tests, tenants file, image, compose file and CI."""
    from pipeline.cli import new_agent, new_handler
    from pipeline.cli._project_files import project_files
    from pipeline.cli._scaffold import checked_name, home, write

    place = home(checked_name(name), "")
    files = project_files(place.package)
    _require_absent(place.folder, *files)
    write(files)
    os.environ["PIPELINE_TENANTS"] = "tenants.yaml"
    new_handler.new_handler(HANDLER, tenant=place.package, package=place.package)
    new_agent.new_agent(AGENT, tenant=place.package, package=place.package, beside=True)
    typer.echo("Or all tests:  python -m pytest\nThen:  pipeline up --reload")


def _require_absent(package: Path, *files: Path) -> None:
    """Raise `UsageError` if a file of the project is there already. Nothing is written then."""
    from pipeline.cli._scaffold import tests_folder

    tests = (tests_folder() / f"test_{each}.py" for each in (HANDLER, AGENT))
    if found := next((path for path in (package, *files, *tests) if path.exists()), None):
        raise UsageError(f"{found} is there already: run new-project in a folder without a project")
