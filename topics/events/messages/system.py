"""Notices of the platform about a user: another number, another id, another identity."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field

from pipeline.topics.events.messages.base import MessageBase
from pipeline.topics.events.model import EventModel, Flag, Seconds

_NUMBER_CHANGES = frozenset({"user_changed_number", "customer_changed_number"})
_PHONE = re.compile(r"\+?\d{7,15}")
_CHANGED = re.compile(r"^(?:User\s+)?(.+?)\s+changed\b")


class SystemContent(EventModel):
    """The change that a notice reports.

    Attributes:
        type: `user_changed_number`, `user_changed_user_id`, `customer_identity_changed`; before v12 of the API
            `customer_changed_number` with `customer` (old) and `new_wa_id`.
        wa_id: the new number.
        user_id: the new business-scoped user id.
    """

    body: str = Field("", repr=False)
    type: str | None = None
    wa_id: str | None = None
    new_wa_id: str | None = None
    customer: str | None = None
    user_id: str | None = None
    previous_user_id: str | None = None
    parent_user_id: str | None = None
    previous_parent_user_id: str | None = None


class Identity(EventModel):
    """The key of a user's phone, beside `system` when it changed."""

    acknowledged: bool | None = None
    created_timestamp: Seconds | None = None
    hash: str | None = None


class SystemMessage(MessageBase):
    """A notice about the user, in the place of a message. A provider fills `system.type` and what has changed."""

    type: Literal["system"]
    system: SystemContent
    identity: Identity | None = None

    @property
    def system_event_type(self) -> str:
        """The provider's type of the notice; empty if it has none."""
        return self.system.type or ""

    @property
    def system_message(self) -> str:
        """The text of the notice."""
        return self.system.body

    @property
    def new_wa_id(self) -> str | None:
        """The new phone number, if it is one of the changes."""
        return self.system.new_wa_id or self.system.wa_id

    @property
    def old_wa_id(self) -> str | None:
        """The phone number before the change."""
        return self.system.customer or self.from_

    @property
    def new_user_id(self) -> str | None:
        """The new user id, if it is one of the changes."""
        return self.system.user_id

    @property
    def previous_user_id(self) -> str | None:
        """The user id before the change, if the provider says it."""
        return self.system.previous_user_id

    @property
    def is_number_change(self) -> Flag:
        """True if the user's phone number has changed."""
        return Flag(self.system.type in _NUMBER_CHANGES)

    @property
    def is_user_id_change(self) -> Flag:
        """True if the user's id has changed."""
        return Flag(self.system.type == "user_changed_user_id" or self._has_another_user_id)

    @property
    def is_identity_change(self) -> Flag:
        """True if the user's device has changed (a new identity key)."""
        return Flag(self.system.type == "customer_identity_changed")

    def extract_phone_numbers(self) -> list[str]:
        """Return the phone numbers in the text of the notice."""
        return _PHONE.findall(self.system.body)

    def extract_user_name(self) -> str | None:
        """`Ana` of `Ana changed from … to …`."""
        found = _CHANGED.match(self.system.body)
        return found.group(1) if found else None

    def get_change(self) -> dict[str, Any]:
        """Old and new number and id, as far as the notice tells."""
        return {
            "old_wa_id": self.old_wa_id,
            "new_wa_id": self.new_wa_id,
            "previous_user_id": self.previous_user_id,
            "new_user_id": self.new_user_id,
        }

    @property
    def _has_another_user_id(self) -> bool:
        system = self.system
        return bool(system.user_id and system.previous_user_id and system.user_id != system.previous_user_id)
