"""The base of messages of every type."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Self

from pydantic import Field

from pipeline.topics.events.context import AdReferral, MessageContext
from pipeline.topics.events.error_detail import ErrorDetail
from pipeline.topics.events.model import EventModel, Flag, Seconds
from pipeline.topics.events.names import ConversationType, MessageType, PlatformType


class MessageBase(EventModel):
    """A message of a user, in the Cloud API's shape; other providers' messages are brought into it.

    A provider must fill `id`, `timestamp`, `type` and the field of the type's own name; whatever else it knows goes
    into the other fields, and what it knows beyond them may be added under its own names.

    Attributes:
        id: the provider's id (Cloud API: wamid).
        from_: the sender's phone number, digits; None when the sender hides it.
        from_bsuid: the sender's business-scoped user id.
        group_id: the group it was written in.
        timestamp: unix seconds. The event's own `timestamp` is an aware datetime.
        type: the field that holds the content has the same name.
        errors: why the platform could not hand over all of it.
    """

    id: str = Field(min_length=1)
    from_: str | None = Field(None, alias="from")
    from_bsuid: str | None = Field(None, alias="from_user_id")
    from_parent_bsuid: str | None = Field(None, alias="from_parent_user_id")
    group_id: str | None = None
    timestamp: Seconds
    type: str
    context: MessageContext | None = None
    referral: AdReferral | None = None
    errors: list[ErrorDetail] | None = None

    @classmethod
    def from_platform_data(cls, data: dict[str, Any], **_: Any) -> Self:
        """Return the message of the provider's JSON. Raises pydantic's `ValidationError`."""
        return cls.model_validate(data)

    @property
    def platform(self) -> PlatformType:
        """The messaging platform; WhatsApp, with every provider."""
        return PlatformType.WHATSAPP

    @property
    def message_id(self) -> str:
        """The provider's id of the message."""
        return self.id

    @property
    def message_type(self) -> MessageType:
        """The type, as a name to compare with."""
        return MessageType(self.type)

    @property
    def timestamp_str(self) -> str:
        """The time of the message in unix seconds, as a string."""
        return str(self.timestamp)

    @property
    def unix_timestamp(self) -> int:
        """The time of the message in unix seconds."""
        return self.timestamp

    @property
    def sent_at(self) -> datetime:
        """The time of the message, UTC."""
        return datetime.fromtimestamp(self.timestamp, UTC)

    @property
    def sender_id(self) -> str:
        """Business-scoped id first, else phone number; empty when the message names neither."""
        return self.from_bsuid or self.from_ or ""

    @property
    def sender_phone(self) -> str:
        """The sender's phone number; empty if it is hidden."""
        return self.from_ or ""

    @property
    def has_bsuid(self) -> bool:
        """True if the sender has a business-scoped user id."""
        return bool(self.from_bsuid)

    @property
    def has_phone_number(self) -> bool:
        """True if the sender's phone number is known."""
        return bool(self.from_)

    @property
    def is_username_only_sender(self) -> bool:
        """True if the sender's phone number is hidden."""
        return not self.from_ and bool(self.from_bsuid)

    @property
    def conversation_id(self) -> str:
        """The group's id, else the sender's."""
        return self.group_id or self.sender_id

    @property
    def conversation_type(self) -> ConversationType:
        """`group` or `private`."""
        return ConversationType.GROUP if self.group_id else ConversationType.PRIVATE

    @property
    def text_content(self) -> str:
        """The text that a handler reads. Captions are not text."""
        return ""

    @property
    def is_reply(self) -> Flag:
        """True if the message replies to another."""
        return Flag(self.context is not None and self.context.is_reply)

    @property
    def is_forwarded(self) -> Flag:
        """Also when the platform says only that it was forwarded often."""
        return Flag(self.context is not None and self.context.is_forward)

    @property
    def is_frequently_forwarded(self) -> Flag:
        """True if the message was forwarded often."""
        return Flag(self.context is not None and bool(self.context.frequently_forwarded))

    @property
    def is_ad_message(self) -> Flag:
        """True if the user came from an ad."""
        return Flag(self.referral is not None)

    @property
    def original_message_id(self) -> str | None:
        """The message that this one answers: the one whose button was pressed, the one that was quoted."""
        return self.context.id if self.context else None

    @property
    def original_sender(self) -> str | None:
        """The sender of the message that this one replies to, if any."""
        return self.context.original_sender_id if self.context else None

    @property
    def is_image(self) -> Flag:
        """True for an image."""
        return Flag(self.type == "image")

    @property
    def is_video(self) -> Flag:
        """True for a video."""
        return Flag(self.type == "video")

    @property
    def is_audio(self) -> Flag:
        """True for audio."""
        return Flag(self.type == "audio")

    @property
    def is_document(self) -> Flag:
        """True for a document."""
        return Flag(self.type == "document")

    def has_context(self) -> bool:
        """Return True if the message replies to another or was forwarded."""
        return self.context is not None

    def get_context(self) -> MessageContext | None:
        """Return the context, if there is one."""
        return self.context

    def get_ad_context(self) -> tuple[str | None, str | None]:
        """Return the ad's id and the click's id; both None if the user came from no ad."""
        return (self.referral.source_id, self.referral.ctwa_clid) if self.referral else (None, None)

    def get_platform_data(self) -> dict[str, Any]:
        """Return the message in the provider's shape."""
        return self.model_dump(exclude_unset=True)

    def to_universal_dict(self) -> dict[str, Any]:
        """Return Wappa's dict of a message."""
        return {
            "platform": self.platform.value,
            "message_type": self.type,
            "message_id": self.id,
            "sender_id": self.sender_id,
            "conversation_id": self.conversation_id,
            "conversation_type": self.conversation_type.value,
            "timestamp": self.timestamp,
            "context": self.context.to_universal_dict() if self.context else None,
        }

    def to_summary_dict(self) -> dict[str, Any]:
        """Return the fields that may be logged: ids and type, never the content."""
        return {
            "message_id": self.id,
            "message_type": self.type,
            "sender_id": self.sender_id,
            "timestamp": self.timestamp,
            "has_context": self.has_context(),
        }

    def get_message_summary(self) -> dict[str, Any]:
        """Return the same as `to_summary_dict`."""
        return self.to_summary_dict()
