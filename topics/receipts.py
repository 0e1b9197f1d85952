"""Receipts: a status webhook that carries a command's id. Whatever else happened, the provider has that command."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

from pipeline.topics.commands import PREFIX
from pipeline.topics.events.wire import WireEvent

CARRYING: Final = frozenset({"status", "unknown"})
"""The kinds of events that say what became of a message; a status that this version can't read is unknown."""


class Receipt(BaseModel):
    """The provider took a command.

    Attributes:
        message_id: the provider's id of the message; empty where the status does not say it.
        status: the status that told, e.g. `delivered`; empty where it does not say that.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    command_id: str
    message_id: str
    status: str


def receipt_of(event: WireEvent) -> Receipt | None:
    """The receipt that a status of one of our own messages is.

    Any status will do: the first one may be late or lost, and one with something odd in it still names the command.
    """
    if event.kind not in CARRYING:
        return None
    command_id = event.get("business_opaque_data")
    if not isinstance(command_id, str) or not command_id.startswith(PREFIX):
        return None
    return Receipt(command_id=command_id, message_id=_text(event, "message_id"), status=_text(event, "status"))


def _text(event: WireEvent, name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""
