"""Outcomes: the results of commands.

A command has a first outcome, the result of its call. Status webhooks add what became of the message: `delivered`,
`read` or `failed`. A record may come twice, because a worker may die between publishing it and noting that. So a
reader keeps one record for each command: the latest by `supersedes`, whatever their order.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from pipeline.topics.keys import account_key


class OutcomeStatus(StrEnum):
    ACCEPTED = "accepted"
    """The provider accepted it and gave it an id."""
    DELIVERED = "delivered"
    """A status says that it has reached the person's device. `read` may follow."""
    READ = "read"
    """A status says that the person has read or played it. Nothing follows."""
    FAILED = "failed"
    """The provider rejected it, and retries can't help or did not; or it was refused before the call (`reason`); or a
    status says that it was accepted and did not reach the person."""
    EXPIRED = "expired"
    """Its lifetime is over, and it was not sent: there was no call, or each was refused."""
    UNKNOWN = "unknown"
    """It may have been sent, and no answer came. A status webhook may still resolve it."""


_RANKS: Final = {
    OutcomeStatus.UNKNOWN: 0,
    OutcomeStatus.EXPIRED: 0,
    OutcomeStatus.ACCEPTED: 1,
    OutcomeStatus.FAILED: 2,
    OutcomeStatus.DELIVERED: 3,
    OutcomeStatus.READ: 4,
}
"""The order in which outcomes of one command supersede each other."""


class Outcome(BaseModel):
    """The result of one command.

    Attributes:
        recipient: as the command names it; as the status does in records that a status has added.
        message_id: the provider's id of the message (Cloud API: wamid); None if there is none.
        error_code: the provider's code, e.g. 131047; None if there is none.
        error_message: the provider's text, never the text of the message.
        reason: a `pipeline.topics.refusals.RefusalReason` if it failed before the call; None otherwise.
        retried: number of retries before this outcome.
        by_status: True if a status webhook says so, and not the answer to the call.
        at: when the outcome was found; the status' own time if one says so.
        sent_at: when the provider was called, as the status brought it back; None without one that does.
        campaign: as the command names it.
        tags: as the command names them.
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
    reason: str | None = None
    retried: int = 0
    by_status: bool | None = None
    at: datetime
    sent_at: datetime | None = None
    campaign: str | None = None
    tags: tuple[str, ...] | None = None
    traceparent: str | None = None

    @property
    def account_key(self) -> str:
        return account_key(self.provider, self.account)

    def supersedes(self, other: Outcome) -> bool:
        """Return True if this one says more about the command than `other`: the later step of its way."""
        return _RANKS[self.status] > _RANKS[other.status]
