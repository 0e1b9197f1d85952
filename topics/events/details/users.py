"""Actions of users other than messages."""

from __future__ import annotations

from typing import Any

from pipeline.topics.events.details.base import AccountEventDetail, Seconds


class UserPreference(AccountEventDetail):
    """`value`: `stop` or `resume` of `category` (`marketing_messages`); a signup has a `signup_id`."""

    wa_id: str | None = None
    user_id: str | None = None
    parent_user_id: str | None = None
    detail: str | None = None
    category: str | None = None
    value: str | None = None
    signup_id: str | None = None
    timestamp: Seconds | None = None


class UserAction(AccountEventDetail):
    """Something was clicked. The object of the action has the action's name with `_data`."""

    action_type: str | None = None
    timestamp: Seconds | None = None

    @property
    def action_data(self) -> dict[str, Any]:
        """The data of the action: the field `<action_type>_data`; None if it is missing."""
        found = (self.model_extra or {}).get(f"{self.action_type}_data")
        return found if isinstance(found, dict) else {}


class IdChange(AccountEventDetail):
    """The old and the new id."""

    previous: str | None = None
    current: str | None = None


class UserIdChange(AccountEventDetail):
    """A user's business-scoped id has changed. Today a system message says so."""

    wa_id: str | None = None
    detail: str | None = None
    user_id: IdChange | None = None
    parent_user_id: IdChange | None = None
    timestamp: Seconds | None = None


class Presence(AccountEventDetail):
    """`presence`: online, offline, typing, recording, paused; the provider's own word otherwise."""

    chat_id: str | None = None
    participant: str | None = None
    presence: str | None = None
    last_seen: Seconds | None = None
