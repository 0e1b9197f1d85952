"""The folder and the console of a run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console

from pipeline.errors import UsageError


@contextmanager
def place(keep: Path | None) -> Iterator[Path]:
    """A directory with `logs` in it: `keep`, or one that goes with the run. Raise `UsageError` if `keep` is in use."""
    directory = (keep or Path(tempfile.mkdtemp(prefix="chaos-"))).absolute()
    if directory.exists() and any(directory.iterdir()):
        raise UsageError(f"{directory} is not empty: what an earlier run left there would be counted; name a new one")
    try:
        (directory / "logs").mkdir(parents=True, exist_ok=True)
        yield directory
    finally:
        if keep is None:
            shutil.rmtree(directory, ignore_errors=True)


def console_of(output: TextIO) -> Console:
    """As wide as the terminal, or wide enough for the tables in a file."""
    return Console() if output.isatty() else Console(width=140)
