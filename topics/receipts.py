"""Receipts: a status webhook that carries a command's id. Whatever else happened, the provider has that command."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

from topics.commands import PREFIX
from topics.events.wire import WireEvent

TELLING: Final = frozenset({"status.sent", "status.failed"})
"""The statuses that a provider sends first: the others would only say it again."""


class Receipt(BaseModel):
    """The provider took a command.

    Attributes:
        message_id: the provider's id of the message.
        status: the status that told, e.g. `sent`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    command_id: str
    message_id: str
    status: str


def receipt_of(event: WireEvent) -> Receipt | None:
    """The receipt that a status of one of our own messages is."""
    if event.kind != "status" or event.get("event_type") not in TELLING:
        return None
    command_id = event.get("business_opaque_data")
    if not isinstance(command_id, str) or not command_id.startswith(PREFIX):
        return None
    return Receipt(command_id=command_id, message_id=event.get("message_id"), status=event.get("status"))
