"""The lag as a table for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from pipeline.lag.report import AppLag, LagReport, LagRow
from pipeline.runtime.process.lag import PartitionLag

_NUMBERS: Final = ("LAG", "OLDEST", "SENDABLE", "OLDEST", "HELD", "OLDEST", "UNKNOWN", "LOST")
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


def age(seconds: float | None) -> str:
    """Return an age for people: `45 s`, `12 min`, `3.2 h`; `?` if it is unknown."""
    if seconds is None:
        return "?"
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= 2 * size), (1, "s"))
    return f"{seconds / size:.{1 if size > 60 and seconds < 10 * size else 0}f} {unit}"


def app_table(report: LagReport) -> Iterator[str]:
    """Yield a table with one line per app."""
    yield from table(
        ("APP", *_NUMBERS, "NOTE"), [(app.app, *_cells(app.lag), not_measured(app)) for app in report.apps], left=1
    )


def partition_table(report: LagReport) -> Iterator[str]:
    """Yield a table with one line per partition that is behind or could not be measured, and the number of others."""
    rows = [row for app in report.apps for row in app.rows]
    shown = [row for row in rows if row.lag is None or row.lag.records or row.note]
    if shown:
        yield from table(("APP", "TOPIC", "PARTITION", *_NUMBERS, "NOTE"), map(_partition_cells, shown), left=2)
    if quiet := len(rows) - len(shown):
        yield f"partitions with nothing behind: {quiet}"


def as_json(report: LagReport, *, by_partition: bool) -> Iterator[str]:
    """Yield one JSON object per app, or per partition. Ages are in seconds, and null is unknown."""
    for app in report.apps:
        if by_partition:
            yield from (_dump(_partition_fields(row)) for row in app.rows)
        else:
            yield _dump({"app": app.app, **app.lag._asdict(), "not_measured": sum(app.problems.values())})


def not_measured(app: AppLag) -> str:
    """Return how many partitions could not be measured, and why; empty if all could."""
    return "; ".join(f"{count} not measured: {problem}" for problem, count in app.problems.items())


def _partition_cells(row: LagRow) -> tuple[str, ...]:
    numbers = _cells(row.lag) if row.lag else ("?",) * len(_NUMBERS)
    return (row.app, row.topic, "?" if row.partition is None else str(row.partition), *numbers, row.note)


def _partition_fields(row: LagRow) -> dict[str, Any]:
    numbers = row.lag._asdict() if row.lag else dict.fromkeys(PartitionLag._fields)
    return {"app": row.app, "topic": row.topic, "partition": row.partition, **numbers, "note": row.note}


def _cells(lag: PartitionLag) -> tuple[str, ...]:
    split = lag.unknown < lag.records or not lag.records
    parts = ((lag.sendable, lag.sendable_seconds), (lag.held, lag.held_seconds))
    known = [text for part in parts for text in _part(*part)] if split else ["?"] * 4
    return (*_part(lag.records, lag.seconds), *known, f"{lag.unknown:,}", f"{lag.trimmed:,}")


def _part(records: int, seconds: float | None) -> tuple[str, str]:
    return f"{records:,}", age(seconds) if records else "-"


def table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, left: int) -> Iterator[str]:
    """Yield lines of aligned columns: the first `left` and the last one to the left, numbers to the right."""
    lines = [heading, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if number < left or number == len(line) - 1 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _dump(fields: dict[str, Any]) -> str:
    return orjson.dumps(fields).decode()
