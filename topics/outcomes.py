"""Outcomes: the results of commands."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from pipeline.topics.keys import account_key


class OutcomeStatus(StrEnum):
    ACCEPTED = "accepted"
    """The provider accepted it and gave it an id."""
    FAILED = "failed"
    """The provider rejected it, and retries can't help or did not."""
    EXPIRED = "expired"
    """Its lifetime is over, and it was not sent: there was no call, or each was refused."""
    UNKNOWN = "unknown"
    """It may have been sent, and no answer came. A status webhook may still resolve it."""


class Outcome(BaseModel):
    """The result of one command.

    Attributes:
        message_id: the provider's id of the message (Cloud API: wamid); None unless accepted.
        error_code: the provider's code, e.g. 131047; None if there is none.
        error_message: the provider's text, never the text of the message.
        retried: number of retries before this outcome.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    command_id: str
    event_id: str | None = None
    tenant_id: str
    provider: str
    account: str
    recipient: str
    status: OutcomeStatus
    message_id: str | None = None
    error_code: int | None = None
    error_message: str | None = None
    retried: int = 0
    at: datetime
    traceparent: str | None = None

    @property
    def account_key(self) -> str:
        return account_key(self.provider, self.account)
