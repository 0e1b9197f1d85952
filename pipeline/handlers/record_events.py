"""Commands and outcomes as events, so that an agent of theirs has the same unit of work, sends and rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, Final

from pipeline.topics.commands import Command
from pipeline.topics.events import EventBase
from pipeline.topics.keys import conversation_key
from pipeline.topics.outcomes import Outcome

REACTION: Final = "agent:"
"""Prefix of the ids of these events, which the commands that they cause name as their cause.

Agents don't get those commands, nor their outcomes: an agent that answers each command would answer itself for ever.
"""

ContactOf = Callable[[str, str], str]
"""`(provider, recipient)`: return the contact's part of the conversation key."""


class RecordEvent(EventBase):
    """A command or an outcome on its way to an agent.

    Attributes:
        value: what the agent's function gets.
    """

    webhook_type: ClassVar[str] = "record"

    value: Command | Outcome


def command_event(command: Command, contact_of: ContactOf) -> RecordEvent:
    """Return the event of a command: it was made."""
    kind = f"command.{command.kind.value}"
    return _event(command, contact_of, kind, command.command_id, command.created_at)


def outcome_event(outcome: Outcome, contact_of: ContactOf) -> RecordEvent:
    """Return the event of an outcome. A command has each status once, so both name the event."""
    status = outcome.status.value
    return _event(outcome, contact_of, f"outcome.{status}", f"{outcome.command_id}:{status}", outcome.at)


def _event(value: Command | Outcome, contact_of: ContactOf, event_type: str, name: str, at: datetime) -> RecordEvent:
    contact = contact_of(value.provider, value.recipient)
    return RecordEvent(
        kind=event_type.partition(".")[0],
        event_type=event_type,
        event_id=f"{REACTION}{name}",
        tenant_id=value.tenant_id,
        provider=value.provider,
        account=value.account,
        conversation=conversation_key(value.provider, value.account, contact),
        contact=contact,
        timestamp=at,
        received_at=at,
        traceparent=value.traceparent,
        value=value,
    )
