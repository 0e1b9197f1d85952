"""Something became of a message that was sent."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from topics.commands import PREFIX
from topics.events.base import EventBase
from topics.events.billing import ConversationWindow, Pricing
from topics.events.error_detail import ErrorDetail
from topics.events.names import MessageStatus
from topics.events.user import User

_ARRIVED: Final = frozenset({MessageStatus.DELIVERED, MessageStatus.READ, MessageStatus.PLAYED})


class StatusEvent(EventBase):
    """One status of one message for one recipient: the argument of `process_status`.

    Statuses come in any order and some never come: read implies delivered, and a late delivered does not undo a read.

    Attributes:
        message_id: the id that the provider gave when it took the message.
        recipient_phone_id: the recipient's phone number; the group's id where `recipient_type` is `group`.
        recipient_participant_phone_id: the member of the group that this status is about.
        business_opaque_data: what was attached when sending; this project attaches the command's id.
        conversation_window: the provider's billing conversation (`conversation` is the partition key).
    """

    webhook_type: ClassVar[str] = "status"

    kind: Literal["status"]
    message_id: str = Field(min_length=1)
    status: MessageStatus
    recipient_phone_id: str | None = None
    recipient_bsuid: str | None = None
    recipient_parent_bsuid: str | None = None
    recipient_type: str | None = None
    recipient_participant_phone_id: str | None = None
    recipient_participant_bsuid: str | None = None
    recipient_participant_parent_bsuid: str | None = None
    recipient_identity_hash: str | None = None
    business_opaque_data: str | None = None
    pricing: Pricing | None = None
    conversation_window: ConversationWindow | None = None
    errors: list[ErrorDetail] | None = None

    @property
    def command_id(self) -> str | None:
        """The command that sent the message, if this project did."""
        data = self.business_opaque_data
        return data if data and data.startswith(PREFIX) else None

    @property
    def recipient_id(self) -> str:
        """Business-scoped id first, else phone number or group id."""
        return self.recipient_bsuid or self.recipient_phone_id or ""

    @property
    def user_id(self) -> str:
        return self.user.user_id

    @property
    def user(self) -> User:
        """The person: the recipient, or the group's member where the message went to a group."""
        if self.recipient_type == "group":
            return self._participant
        return User(
            phone_number=self.recipient_phone_id or "",
            bsuid=self.recipient_bsuid,
            parent_bsuid=self.recipient_parent_bsuid,
            identity_key_hash=self.recipient_identity_hash,
        )

    @property
    def _participant(self) -> User:
        return User(
            phone_number=self.recipient_participant_phone_id or "",
            bsuid=self.recipient_participant_bsuid,
            parent_bsuid=self.recipient_participant_parent_bsuid,
        )

    @property
    def has_recipient_bsuid(self) -> bool:
        return bool(self.recipient_bsuid)

    @property
    def has_recipient_phone(self) -> bool:
        return bool(self.recipient_phone_id)

    def is_delivered_status(self) -> bool:
        """Delivered, or what implies it: read, and played for voice messages."""
        return self.status in _ARRIVED

    def is_failed_status(self) -> bool:
        return self.status == MessageStatus.FAILED

    def has_errors(self) -> bool:
        return bool(self.errors)

    def get_primary_error(self) -> ErrorDetail | None:
        return self.errors[0] if self.errors else None

    def get_all_errors(self) -> list[ErrorDetail]:
        return list(self.errors or ())

    def is_billable_message(self) -> bool:
        """Read from `pricing`, the only field that says so."""
        return self.pricing is not None and bool(self.pricing.billable)

    def get_summary(self) -> dict[str, Any]:
        return super().get_summary() | {
            "message_id": self.message_id,
            "status": self.status.value,
            "recipient": self.recipient_id,
            "has_errors": self.has_errors(),
            "billable": self.is_billable_message(),
        }
