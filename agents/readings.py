"""Reads an agent's topics: tells by the headers which records the agent takes, and decodes those."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple, get_args

from pipeline.handlers.agents import AgentRunner
from pipeline.handlers.base import EventHandler
from pipeline.handlers.functions import Agent
from pipeline.handlers.record_events import REACTION, command_event, outcome_event
from pipeline.providers import PROVIDERS
from pipeline.topics import headers
from pipeline.topics.catalogue import COMMANDS, OUTCOMES
from pipeline.topics.codec import decode_command, decode_outcome
from pipeline.topics.events import EventBase, UnknownEvent, decode
from pipeline.topics.records import ConsumedRecord


class Reading(NamedTuple):
    """A record as an agent sees it.

    Attributes:
        event: None for a record that the agent does not read. Its place is its conversation, so it waits for no other.
    """

    tenant: str
    conversation: str
    event: EventBase | None = None


class AgentReader:
    """Decodes the records that an agent reads. The others are known by their headers and cost no decoding."""

    def __init__(self, runner: AgentRunner) -> None:
        self._runner = runner
        self._stage = runner.stage.encode()
        self._kinds = _kinds(runner.agent)

    def read(self, record: ConsumedRecord) -> Reading:
        """Return a reading. Raise `InvalidRecord`, or `NewerRecord` if it needs a newer version."""
        if not self._wants(record.topic, dict(record.headers)):
            return Reading("", f"{record.topic}/{record.partition}/{record.offset}")
        event = _RECORDS.get(record.topic, decode)(record)
        return Reading(event.tenant_id, event.conversation, event)

    def _wants(self, topic: str, found: Mapping[str, bytes]) -> bool:
        if headers.STALE in found or found.get(headers.REDRIVEN_FOR, self._stage) != self._stage:
            return False
        if not self._runner.reads(found.get(headers.TENANT, b"").decode(errors="replace")):
            return False
        if topic in _RECORDS:
            return not found.get(headers.EVENT_ID, b"").startswith(REACTION.encode())
        return not self._kinds or found.get(headers.EVENT_TYPE) in self._kinds


def _kinds(agent: EventHandler) -> Collection[bytes]:
    """Return the kinds of events that an agent takes, as their header says it; none for all kinds.

    What this version has no model for is an `UnknownEvent`, whatever its kind.
    """
    kinds = [kind for kind in agent.kinds if issubclass(kind, EventBase)] if isinstance(agent, Agent) else [EventBase]
    names = [get_args(kind.model_fields["kind"].annotation) for kind in kinds]
    return () if UnknownEvent in kinds or () in names else {name.encode() for each in names for name in each}


def _contact(provider: str, recipient: str) -> str:
    known = PROVIDERS.get(provider)
    return known.contact(recipient) if known else recipient


def _command(record: ConsumedRecord) -> EventBase:
    return command_event(decode_command(record), _contact)


def _outcome(record: ConsumedRecord) -> EventBase:
    return outcome_event(decode_outcome(record), _contact)


_RECORDS: Final[Mapping[str, Callable[[ConsumedRecord], EventBase]]] = {
    **{each.name: _command for each in COMMANDS},
    OUTCOMES.name: _outcome,
}
"""The decoders of what is no event."""
