"""Makes a command of each send of a handler and adds it to the unit of work of the current event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pipeline.frames import called_from
from pipeline.handlers.context import current
from pipeline.handlers.results import RefusedSend, SendResult
from pipeline.handlers.unit_of_work import UnitOfWork
from pipeline.handlers.validation import (
    Lifetime,
    seconds,
    validate_campaign,
    validate_lifetime,
    validate_priority,
    validate_recipient,
    validate_reply_to,
    validate_tags,
)
from pipeline.topics.commands import IMMEDIATE, Command, CommandKind, Priority, command_id
from pipeline.topics.events import EventBase
from pipeline.unicode import as_json, well_formed

_NOT_JSON: Final = "the send has values that JSON can't express: pass texts, numbers, lists and dicts"

OPAQUE: Final = IMMEDIATE | {CommandKind.PIN}
"""Kinds whose recipient may be a group or a message, by an id of any form."""


@dataclass(frozen=True, slots=True)
class Request:
    """One send as the handler asked for it.

    Attributes:
        kind: the kind of command.
        recipient: a phone number, user id, group id or JID; None for a read mark that names nobody.
        body: the shape that belongs to `kind` (`pipeline.topics.commands.CommandKind`).
        priority: `interactive` or `bulk`.
        expires_in: an end before that of its lifetime (`pipeline.topics.lifetimes`); None for the lifetime alone.
        reply_to: the id of the message that it replies to.
        campaign: groups sends in reports.
        tags: the same, up to five.
        body_error: the error message of an invalid body.
        error_code: the same for programs.
    """

    kind: CommandKind
    recipient: str | None
    body: dict[str, Any]
    priority: Priority | str = Priority.INTERACTIVE
    expires_in: Lifetime = None
    reply_to: str | None = None
    campaign: str | None = None
    tags: Sequence[str] | None = None
    body_error: str | None = None
    error_code: str = "VALIDATION"

    def error(self) -> str | None:
        """Return the first error, as a message for the handler's author; None for a valid request."""
        return (
            self.body_error
            or validate_recipient(self.recipient, opaque=self.kind in OPAQUE)
            or validate_reply_to(self.reply_to)
            or validate_priority(self.priority)
            or validate_lifetime(self.expires_in)
            or validate_campaign(self.campaign)
            or validate_tags(self.tags)
        )


def queue(request: Request) -> SendResult:
    """Add a command to the unit of work of the current event. The result has the error of an invalid request.

    Raises `NoActiveEvent` if there is no current event.
    """
    event, unit, _ = current()
    if error := request.error():
        return _refuse(request, error, event, unit)
    try:
        body = as_json(request.body)
    except ValueError:
        return _refuse(request, _NOT_JSON, event, unit)
    command = _command(request, body, event, command_id(unit.cause, unit.next_index(request.kind)))
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


def _refuse(request: Request, error: str, event: EventBase, unit: UnitOfWork) -> SendResult:
    """Return a result with the error. The unit keeps it, to tell at the end if nobody has looked at it."""
    refused = RefusedSend(_failed_result(request, error, event), request.kind.value, called_from())
    unit.refused = [*unit.refused, refused]
    return refused


def _failed_result(request: Request, error: str, event: EventBase) -> SendResult:
    code = request.error_code if request.body_error else "VALIDATION"
    to = request.recipient if isinstance(request.recipient, str) else ""
    return SendResult(False, to, error=error, error_code=code, tenant_id=event.tenant_id, inbox_id=event.account)


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
        campaign=request.campaign,
        tags=tuple(request.tags) if request.tags else None,
        traceparent=event.traceparent,
    )


def _expiry(now: datetime, request: Request) -> datetime | None:
    return None if request.expires_in is None else now + timedelta(seconds=seconds(request.expires_in))
