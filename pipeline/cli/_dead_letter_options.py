"""The options of `pipeline dead-letters`, and their parsing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from pipeline.cli._times import to_span, to_time
from pipeline.topics.catalogue import STAGES
from pipeline.topics.dead_letters import PREFIX, DeadLetterId, RecordPosition

_TRACE: Final = re.compile(r"(?:[0-9a-f]{2}-)?([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2})?", re.ASCII)
"""A trace id, or the whole `traceparent`."""


def to_moment(text: str, now: datetime | None = None) -> int:
    """Parse a time to ms since the epoch: `2026-01-31`, `2026-01-31T10:00` (UTC), or an age: `90m`, `2h`, `7d`."""
    if (ago := to_span(text)) is not None:
        return _ms((now or datetime.now(UTC)) - ago)
    if (found := to_time(text)) is not None:
        return _ms(found)
    raise typer.BadParameter(f"{text!r} is not a time: write 2026-01-31T10:00, or 90m, 2h or 7d for an age")


def to_name(text: str) -> DeadLetterId | RecordPosition | str:
    """Parse the id of a dead letter, the position of its record, or a trace id. Raise `typer.BadParameter`."""
    if trace := _TRACE.fullmatch(text):
        return trace[1]
    try:
        found = DeadLetterId.parse(text.removeprefix(PREFIX))
    except ValueError:
        wrong = f"{text!r} is not an id: write STAGE/PARTITION/OFFSET, TOPIC/PARTITION/OFFSET or a trace id"
        raise typer.BadParameter(wrong) from None
    is_topic = "." in text and not text.startswith(PREFIX) and found.stage not in STAGES
    return RecordPosition(*found) if is_topic else found


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


NAMES: Final = "STAGE/PARTITION/OFFSET, TOPIC/PARTITION/OFFSET of the record that failed, or a trace id"
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help=f"Dead letters: {NAMES}.")]
Reveal = Annotated[
    bool, typer.Option("--reveal", help="Show texts that people wrote, and ids that contain phone numbers.")
]
Stage = Annotated[str | None, typer.Option(help="Filter by stage.")]
Tenant = Annotated[str | None, typer.Option(help="Filter by tenant.")]
ErrorType = Annotated[str | None, typer.Option(help="Filter by error type, e.g. UnknownTenant.")]
Since = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Filter by time of failure, from TIME on: 2026-01-31T10:00, or 2h for two hours ago."
    ),
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Filter by time of failure, before TIME.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the dead letters and change nothing.")]
