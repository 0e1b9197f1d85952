"""Groups."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.topics.events.details.base import AccountEventDetail, Seconds


class GroupParticipant(AccountEventDetail):
    """Somebody in a group. `role`: participant, admin, superadmin, where the provider tells."""

    wa_id: str | None = None
    user_id: str | None = None
    input: str | None = None
    role: str | None = None


class GroupChange(AccountEventDetail):
    """One change of one group. The Cloud API also reports here what became of its own requests (`request_id`).

    Attributes:
        type: `group_create`, `group_delete`, `group_participants_add`, `group_participants_remove`,
            `group_join_request_created`, …; gateways: `join`, `leave`, `promote`, `demote`, `update`.
        owner: gateways: who made it.
    """

    group_id: str | None = None
    type: str | None = None
    timestamp: Seconds | None = None
    request_id: str | None = None
    reason: str | None = None
    initiated_by: str | None = None
    join_request_id: str | None = None
    subject: str | None = Field(None, repr=False)
    description: str | None = Field(None, repr=False)
    invite_link: str | None = Field(None, repr=False)
    join_approval_mode: str | None = None
    owner: str | None = None
    added_participants: list[GroupParticipant] = Field(default_factory=list)
    removed_participants: list[GroupParticipant] = Field(default_factory=list)
    participants: list[GroupParticipant] = Field(default_factory=list)
    errors: list[dict[str, Any]] | None = None
