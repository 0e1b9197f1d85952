"""The options of the verbs that control what is sent, and their parsing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from pipeline.cli._times import to_span, to_time
from pipeline.topics.controls import ControlKind, OperatorControl

if TYPE_CHECKING:
    from pipeline.settings import Settings

MAX_TEXT: Final = 500
"""Characters of a reason, or of a name."""

Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever finds it later.")]
For = Annotated[str | None, typer.Option("--for", metavar="SPAN", help="It ends by itself after 90m, 2h or 7d.")]
Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="It ends by itself then: 2026-01-31T10:00, UTC if no zone is named.")
]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who decides. [the user of this command]")]


def to_end(span: str | None, until: str | None, now: datetime | None = None) -> datetime | None:
    """Return the end of a control; None: it does not end by itself. Raise `typer.BadParameter`."""
    now = now or datetime.now(UTC)
    if span is not None and until is not None:
        raise typer.BadParameter("name --for or --until, not both")
    if span is not None:
        length = to_span(span)
        if not length:
            raise typer.BadParameter(f"--for {span} is no span: write 90m, 2h or 7d")
        return now + length
    end = to_time(until) if until is not None else None
    if until is not None and (end is None or end <= now):
        raise typer.BadParameter(f"--until {until} is no time to come: write 2026-01-31T10:00")
    return end


def to_text(name: str, text: str, *, required: bool = True) -> str:
    """Return a text in one line. Raise `typer.BadParameter` if it is missing or too long."""
    line = " ".join(text.split())
    if required and not line:
        raise typer.BadParameter(f"{name} is empty: name it, for whoever finds it later")
    if len(line) > MAX_TEXT:
        raise typer.BadParameter(f"{name} has more than {MAX_TEXT} characters")
    return line


def decide(settings: Settings, control: OperatorControl) -> None:
    """Publish a control, and say what it does."""
    from pipeline.accounts.decide import publish
    from pipeline.accounts.format import moment

    asyncio.run(publish(settings.kafka, control))
    name = control.key.name if control.account else f"tenant {control.tenant_id}"
    until = f" until {moment(control.until)}" if control.until else ""
    typer.echo(f"{name}{_EFFECTS[control.kind, control.active].format(rate=control.messages_per_second)}{until}")


_EFFECTS: Final = {
    (ControlKind.PAUSE, True): " is paused",
    (ControlKind.PAUSE, False): " goes on",
    (ControlKind.LIMIT, True): " sends {rate:g} messages/s",
    (ControlKind.LIMIT, False): " has the limit of the tenants file",
}


class Decision(NamedTuple):
    """The options of every control: its reason, its end and who decides."""

    reason: str
    until: datetime | None
    by: str
    at: datetime

    @classmethod
    def parse(
        cls, reason: str, by: str | None, span: str | None = None, until: str | None = None, *, required: bool = True
    ) -> Decision:
        """Parse the options. Raise `typer.BadParameter`."""
        from pipeline.cli._setup import current_user

        text = to_text("--reason", reason, required=required)
        return cls(text, to_end(span, until), to_text("--by", by or current_user()), datetime.now(UTC))
