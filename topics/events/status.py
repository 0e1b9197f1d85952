"""A status of a message that was sent."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

from pydantic import AwareDatetime, Field

from pipeline.topics.callback_data import decode_callback_data
from pipeline.topics.events.base import EventBase
from pipeline.topics.events.billing import ConversationBase, ConversationWindow, Pricing
from pipeline.topics.events.error_detail import ErrorDetail
from pipeline.topics.events.names import MessageStatus
from pipeline.topics.events.user import User

_PROGRESS: Final = {
    MessageStatus.PENDING: 0,
    MessageStatus.SENT: 1,
    MessageStatus.DELIVERED: 2,
    MessageStatus.READ: 3,
    MessageStatus.PLAYED: 4,
}
_ARRIVED: Final = frozenset({MessageStatus.DELIVERED, MessageStatus.READ, MessageStatus.PLAYED})


class StatusEvent(EventBase):
    """One status of one message for one recipient: the argument of `process_status`.

    Statuses come in any order and some never come: read implies delivered, and a late delivered does not undo a read.
    `progress` orders them; a failed status stands beside that order. A provider fills `message_id`, `status` (one of
    `MessageStatus`, else its own word) and the recipient; its `event_type` is `status.<status>`.

    Attributes:
        message_id: the id that the provider gave when it took the message.
        recipient_phone_id: the recipient's phone number; the group's id where `recipient_type` is `group`.
        recipient_participant_phone_id: the member of the group that this status is about.
        business_opaque_data: what was attached when sending; of the sends of this project the command's id, and what
            they attach beside it is in the next three fields.
        sent_at: when this project called the provider; None if the provider brings nothing back, or an older form.
        campaign: the campaign that the send named.
        tags: the tags that the send named.
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
    sent_at: AwareDatetime | None = None
    campaign: str | None = None
    tags: list[str] = Field(default_factory=list)
    pricing: Pricing | None = None
    conversation_window: ConversationWindow | None = None
    errors: list[ErrorDetail] | None = None

    @property
    def command_id(self) -> str | None:
        """The command that sent the message, if this project did."""
        found = decode_callback_data(self.business_opaque_data)
        return found.command_id if found else None

    @property
    def recipient_id(self) -> str:
        """Business-scoped id first, else phone number or group id."""
        return self.recipient_bsuid or self.recipient_phone_id or ""

    @property
    def user_id(self) -> str:
        """The id of the person (`user`)."""
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
        """True if the recipient has a business-scoped user id."""
        return bool(self.recipient_bsuid)

    @property
    def has_recipient_phone(self) -> bool:
        """True if the recipient's phone number is known."""
        return bool(self.recipient_phone_id)

    @property
    def progress(self) -> int | None:
        """The position of the status: pending 0, sent 1, delivered 2, read 3, played 4; None for anything else.

        Keep the largest: a lower one that comes later is late, not news.
        """
        return _PROGRESS.get(self.status)

    @property
    def is_sent(self) -> bool:
        """True for the status `sent`."""
        return self.status == MessageStatus.SENT

    @property
    def is_delivered(self) -> bool:
        """True for the status `delivered`; see `is_delivered_status`."""
        return self.status == MessageStatus.DELIVERED

    @property
    def is_read(self) -> bool:
        """True for the status `read`."""
        return self.status == MessageStatus.READ

    @property
    def is_failed(self) -> bool:
        """True for the status `failed`."""
        return self.is_failed_status()

    @property
    def is_successful(self) -> bool:
        """True for sent, delivered, read and played."""
        return self.progress is not None and self.progress > 0

    @property
    def has_billing_info(self) -> bool:
        """True if there is a price."""
        return self.pricing is not None

    @property
    def is_billable(self) -> bool:
        """True if the message is billed."""
        return self.is_billable_message()

    @property
    def billing(self) -> ConversationBase | None:
        """Window and price in one object (`conversation` is the partition key here)."""
        if self.pricing is None and self.conversation_window is None:
            return None
        return ConversationBase.of(self.conversation_window, self.pricing)

    def is_delivered_status(self) -> bool:
        """Return True for delivered, and for read and played, which imply it."""
        return self.status in _ARRIVED

    def is_failed_status(self) -> bool:
        """Return True for the status `failed`."""
        return self.status == MessageStatus.FAILED

    def has_errors(self) -> bool:
        """Return True if there are errors."""
        return bool(self.errors)

    def get_primary_error(self) -> ErrorDetail | None:
        """Return the first error; None if there is none."""
        return self.errors[0] if self.errors else None

    def get_all_errors(self) -> list[ErrorDetail]:
        """Return all errors; a copy."""
        return list(self.errors or ())

    def get_error_info(self) -> dict[str, Any] | None:
        """Return the first error as a dict; None if there is none."""
        error = self.get_primary_error()
        return error.model_dump(exclude_unset=True) if error else None

    def get_delivery_info(self) -> dict[str, Any]:
        """Return message, status, recipient, and time in unix seconds."""
        return {
            "message_id": self.message_id,
            "status": self.status.value,
            "recipient_id": self.recipient_id,
            "timestamp": int(self.timestamp.timestamp()),
        }

    def get_conversation_info(self) -> dict[str, Any] | None:
        """Return the billing conversation as a dict; None if there is none."""
        window = self.conversation_window
        return window.model_dump(exclude_unset=True) if window else None

    def get_pricing_info(self) -> dict[str, Any] | None:
        """Return the price as a dict; None if there is none."""
        return self.pricing.model_dump(exclude_unset=True) if self.pricing else None

    def is_billable_message(self) -> bool:
        """Return True if `pricing`, the only field that says so, says that the message is billed."""
        return self.pricing is not None and bool(self.pricing.billable)

    def get_summary(self) -> dict[str, Any]:
        """Return the fields that may be logged, as `EventBase.get_summary` does."""
        return super().get_summary() | {
            "message_id": self.message_id,
            "status": self.status.value,
            "recipient": self.recipient_id,
            "has_errors": self.has_errors(),
            "billable": self.is_billable_message(),
        }
