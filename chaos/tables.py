"""Tables and findings as both reports print them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from rich.console import Console
from rich.table import Table

from chaos.memory import Grown

SHOWN: Final = 20
"""Lines of one finding that are printed; the JSON report has all of them."""
Cells = tuple[str, ...]


def table(title: str, columns: Cells, rows: Iterable[Cells]) -> Table:
    """Return the first column to the left, the others to the right."""
    made = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left")
    for row in rows:
        made.add_row(*row)
    return made


def memory_table(grown: Mapping[str, Grown]) -> Table:
    rows = [
        (name, f"{peak:.0f}", " ".join(f"{most:.0f}" for most in minutes)) for name, (peak, minutes) in grown.items()
    ]
    return table("Resident memory, MiB", ("service", "peak", "by minute"), rows)


def show_findings(console: Console, name: str, lines: Iterable[str]) -> None:
    """Nothing where there are none."""
    lines = list(lines)
    if not lines:
        return
    console.print(f"[bold]{name}[/]: {len(lines)}", highlight=False)
    for line in lines[:SHOWN]:
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    if len(lines) > SHOWN:
        console.print(f"  and {len(lines) - SHOWN} more: see --json")
