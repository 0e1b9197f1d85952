"""docs/tutorial.md as its reader follows it: files are written, commands are run, in order."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.doc_blocks import DOCS, ROOT, Block, Shell, blocks, commands

PAGE: Final = DOCS / "tutorial.md"
LIVE: Final = "pipeline up"
"""The command that starts the stack: what follows it needs one."""


def before_the_stack() -> Iterator[Block]:
    """Yield the blocks that need no stack."""
    for block in blocks(PAGE):
        if block.text.strip() == LIVE:
            return
        yield block


def write(block: Block, project: Path) -> None:
    """Save a block that has a file's name as its title."""
    if block.title is not None:
        path = project / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)


def to_run(block: Block) -> list[Shell]:
    """Return the commands of a block that is neither a file nor output."""
    return commands(block) if block.language == "sh" else []


def run(command: Shell, project: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in the project, with this Python for its own."""
    first = [sys.executable, "-m", "pipeline.cli"] if command.program == "pipeline" else [command.program]
    if command.program == "python":
        first = [sys.executable]
    return subprocess.run(
        [*first, *command.arguments],
        cwd=project,
        env={**environment(), **command.settings},
        capture_output=True,
        text=True,
        check=False,
    )


def environment() -> dict[str, str]:
    """Return the environment of somebody who has set nothing."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    return {**kept, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTEST_ADDOPTS": "-p no:cacheprovider"}
