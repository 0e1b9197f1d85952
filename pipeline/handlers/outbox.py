"""From what a handler asks for to a command in its event's unit of work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pipeline.handlers.context import in_hand
from pipeline.handlers.limits import Lifetime, seconds, wrong_lifetime, wrong_priority, wrong_recipient, wrong_reply
from pipeline.handlers.results import SendResult
from pipeline.topics.commands import EARLY, Command, CommandKind, Priority, command_id
from pipeline.topics.events import EventBase
from pipeline.unicode import as_json, well_formed

LATE: Final = timedelta(hours=1)
"""After which a read mark is given up: one that its provider never takes would hold up its conversation for ever."""


_NOT_JSON: Final = "the send holds what JSON has no form for: pass texts, numbers, lists and dicts"

OPAQUE: Final = EARLY | {CommandKind.PIN}
"""Kinds whose recipient may be a group or a message by an id of any form."""


@dataclass(frozen=True, slots=True)
class Request:
    """One send as the handler asked for it.

    Attributes:
        body: the shape that belongs to `kind` (`pipeline.topics.commands.CommandKind`).
        wrong: what is wrong with the body, if anything; `error_code` says it to programs.
    """

    kind: CommandKind
    recipient: str | None
    body: dict[str, Any]
    priority: Priority | str = Priority.INTERACTIVE
    expires_in: Lifetime = None
    reply_to: str | None = None
    wrong: str | None = None
    error_code: str = "VALIDATION"

    def fault(self) -> str | None:
        """The first thing that is wrong, in words for the handler's author."""
        return (
            self.wrong
            or wrong_recipient(self.recipient, opaque=self.kind in OPAQUE)
            or wrong_reply(self.reply_to)
            or wrong_priority(self.priority)
            or wrong_lifetime(self.expires_in)
        )


def queue(request: Request) -> SendResult:
    """Adds a command to the unit of the event in hand, or says why not. Raises `OutsideEvent` where there is none."""
    event, unit, _ = in_hand()
    if fault := request.fault():
        return _refused(request, fault, event)
    try:
        body = as_json(request.body)
    except ValueError:
        return _refused(request, _NOT_JSON, event)
    command = _command(request, body, event, command_id(unit.cause, unit.step(request.kind)))
    unit.send(command)
    return SendResult(
        True,
        command.recipient,
        command.command_id,
        queued=True,
        tenant_id=event.tenant_id,
        inbox_id=event.account,
        timestamp=command.created_at,
    )


def _refused(request: Request, fault: str, event: EventBase) -> SendResult:
    code = request.error_code if request.wrong else "VALIDATION"
    to = request.recipient if isinstance(request.recipient, str) else ""
    return SendResult(False, to, error=fault, error_code=code, tenant_id=event.tenant_id, inbox_id=event.account)


def _command(request: Request, body: dict[str, Any], event: EventBase, identity: str) -> Command:
    now = datetime.now(UTC)
    return Command(
        command_id=identity,
        event_id=event.event_id,
        tenant_id=event.tenant_id,
        provider=event.provider,
        account=event.account,
        recipient=well_formed(request.recipient or ""),
        kind=request.kind,
        body=body,
        reply_to=well_formed(request.reply_to),
        priority=Priority(request.priority),
        created_at=now,
        expires_at=_expiry(now, request),
        traceparent=event.traceparent,
    )


def _expiry(now: datetime, request: Request) -> datetime | None:
    lifetime = request.expires_in
    if lifetime is None and request.kind in EARLY:
        lifetime = LATE
    return None if lifetime is None else now + timedelta(seconds=seconds(lifetime))
