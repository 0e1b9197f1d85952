"""Commands: what a handler asks the messenger to do, as a value.

A command's id follows from the id of the event that caused it and its place among that event's commands, so a
handler that runs again asks for the same thing again and the messenger can tell.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from topics.keys import account_key

PREFIX: Final = "cmd-"
"""What every command id begins with, so that it is known again when a provider sends it back."""


class Priority(StrEnum):
    """Which of the two command topics a command takes."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class CommandKind(StrEnum):
    """What is to be done. `body` has the shape that belongs to the kind."""

    TEXT = "text"
    """body: `{"text": str, "preview_url": bool}`"""
    READ = "read"
    """body: `{"message_id": str, "typing": bool}`"""


class Command(BaseModel):
    """One thing to be done for one recipient through one account.

    Attributes:
        command_id: deterministic, at most 512 characters (Cloud API carries it as `biz_opaque_callback_data`).
        event_id: the event that caused it, if one did.
        recipient: phone number, business-scoped user id, group id or JID, as the provider wrote it.
        reply_to: id of the provider's message that this one answers.
        expires_at: not sent after this time; its outcome then says `expired`.
        traceparent: W3C trace context of the webhook.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    command_id: str
    event_id: str | None = None
    tenant_id: str
    provider: str
    account: str
    recipient: str
    kind: CommandKind
    body: dict[str, Any] = Field(default_factory=dict)
    reply_to: str | None = None
    priority: Priority = Priority.INTERACTIVE
    created_at: datetime
    expires_at: datetime | None = None
    traceparent: str | None = None

    @property
    def account_key(self) -> str:
        return account_key(self.provider, self.account)


def command_id(event_id: str, step: int) -> str:
    """The id of the `step`-th command (from 0) that `event_id` causes: 32 hexadecimal digits after `cmd-`."""
    digest = hashlib.blake2b(f"{event_id}\n{step}".encode(), digest_size=16)
    return PREFIX + digest.hexdigest()
