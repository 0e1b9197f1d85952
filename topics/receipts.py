"""Receipts: a status webhook that contains a command's id proves that the provider has accepted that command."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

from pipeline.topics.commands import PREFIX
from pipeline.topics.events.wire import ParsedEvent

CARRYING: Final = frozenset({"status", "unknown"})
"""Kinds of events that may be the status of a message; a status that this version can't parse is `unknown`."""


class Receipt(BaseModel):
    """Proof that the provider accepted a command.

    Attributes:
        message_id: the provider's id of the message; empty if the status has none.
        status: the status, e.g. `delivered`; empty if it has none.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    command_id: str
    message_id: str
    status: str


def receipt_of(event: ParsedEvent) -> Receipt | None:
    """Return the receipt for a status of one of our own messages; None for other events.

    Any status counts: the first one may be late or lost, and one with an unknown field still names the command.
    """
    if event.kind not in CARRYING:
        return None
    command_id = event.get("business_opaque_data")
    if not isinstance(command_id, str) or not command_id.startswith(PREFIX):
        return None
    return Receipt(command_id=command_id, message_id=_text(event, "message_id"), status=_text(event, "status"))


def _text(event: ParsedEvent, name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""
