"""The report of a benchmark: tables for people, figures for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table as RichTable

RESULTS: Final = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Table:
    """One table. The first column and those in `texts` hold words; notes say what a reader must know."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    texts: Sequence[int] = ()


@dataclass(frozen=True)
class Result:
    """The result of one benchmark.

    Attributes:
        figures: everything that was measured, every round of it, as JSON.
    """

    name: str
    tables: Sequence[Table]
    figures: Mapping[str, Any] = field(default_factory=dict)


def show(console: Console, table: Table) -> None:
    shown = RichTable(title=table.title, title_justify="left", title_style="bold", pad_edge=False)
    for number, name in enumerate(table.columns):
        shown.add_column(name, justify="right" if number and number not in table.texts else "left")
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)
    for note in table.notes:
        console.print(f"  {note}", style="dim", soft_wrap=True)
    console.print()


def write(machine: Mapping[str, Any], results: Sequence[Result], directory: Path = RESULTS) -> Path:
    """Write the figures of a run to a file of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    content = {"machine": machine, "results": {result.name: result.figures for result in results}}
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))
    return path
