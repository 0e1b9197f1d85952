"""Commands and outcomes as events, so that an agent of theirs has the same unit of work, sends and rows."""

from __future__ import annotations

from collections.abc import Callable
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
    contact = contact_of(command.provider, command.recipient)
    return RecordEvent(
        kind="command",
        event_type=f"command.{command.kind.value}",
        event_id=f"{REACTION}{command.command_id}",
        tenant_id=command.tenant_id,
        provider=command.provider,
        account=command.account,
        conversation=conversation_key(command.provider, command.account, contact),
        contact=contact,
        timestamp=command.created_at,
        received_at=command.created_at,
        traceparent=command.traceparent,
        value=command,
    )


def outcome_event(outcome: Outcome, contact_of: ContactOf) -> RecordEvent:
    """Return the event of an outcome. A command has each status once, so both name the event."""
    contact = contact_of(outcome.provider, outcome.recipient)
    return RecordEvent(
        kind="outcome",
        event_type=f"outcome.{outcome.status.value}",
        event_id=f"{REACTION}{outcome.command_id}:{outcome.status.value}",
        tenant_id=outcome.tenant_id,
        provider=outcome.provider,
        account=outcome.account,
        conversation=conversation_key(outcome.provider, outcome.account, contact),
        contact=contact,
        timestamp=outcome.at,
        received_at=outcome.at,
        traceparent=outcome.traceparent,
        value=outcome,
    )
