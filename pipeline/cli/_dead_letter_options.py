"""The filters of `pipeline dead-letters` as they are typed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from pipeline.topics.catalogue import STAGES
from pipeline.topics.dead_letters import PREFIX, DeadLetterId, RecordPosition

_TRACE: Final = re.compile(r"(?:[0-9a-f]{2}-)?([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2})?", re.ASCII)
"""A trace id, or the whole `traceparent`."""
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def to_moment(text: str, now: datetime | None = None) -> int:
    """A time in ms since the epoch: `2026-01-31`, `2026-01-31T10:00` (UTC unless it says), or `90m`, `2h`, `7d` ago."""
    if ago := re.fullmatch(r"(\d{1,6})([smhd])", text):
        return _ms((now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        wrong = f"{text!r} is no time: write 2026-01-31T10:00, or 90m, 2h, 7d for so long ago"
        raise typer.BadParameter(wrong) from None
    return _ms(found if found.tzinfo else found.replace(tzinfo=UTC))


def to_name(text: str) -> DeadLetterId | RecordPosition | str:
    """A letter's id, the place of its record, or the trace id of either. Wrong usage for what is none of these."""
    if trace := _TRACE.fullmatch(text):
        return trace[1]
    try:
        found = DeadLetterId.parse(text.removeprefix(PREFIX))
    except ValueError:
        wrong = f"{text!r} names no letter: write STAGE/PARTITION/OFFSET, TOPIC/PARTITION/OFFSET or a trace id"
        raise typer.BadParameter(wrong) from None
    is_topic = "." in text and not text.startswith(PREFIX) and found.stage not in STAGES
    return RecordPosition(*found) if is_topic else found


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


NAMES: Final = "STAGE/PARTITION/OFFSET, TOPIC/PARTITION/OFFSET of the record that failed, or a trace id"
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help=f"Letters: {NAMES}.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show ids that hold phone numbers, and what people wrote.")]
Stage = Annotated[str | None, typer.Option(help="Of this stage only.")]
Tenant = Annotated[str | None, typer.Option(help="Of this tenant only.")]
ErrorType = Annotated[str | None, typer.Option(help="Failed of this kind of error only, e.g. UnknownTenant.")]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="Failed then or later: 2026-01-31T10:00, or 2h for so long ago.")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Failed before then.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done and do nothing.")]
