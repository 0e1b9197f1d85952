"""What messages of every type have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Self

from pydantic import Field

from pipeline.topics.events.context import AdReferral, MessageContext
from pipeline.topics.events.error_detail import ErrorDetail
from pipeline.topics.events.model import Flag, Model, Seconds
from pipeline.topics.events.names import ConversationType, MessageType, PlatformType


class MessageBase(Model):
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
        """The message of the provider's JSON. Raises pydantic's `ValidationError`."""
        return cls.model_validate(data)

    @property
    def platform(self) -> PlatformType:
        return PlatformType.WHATSAPP

    @property
    def message_id(self) -> str:
        return self.id

    @property
    def message_type(self) -> MessageType:
        return MessageType(self.type)

    @property
    def timestamp_str(self) -> str:
        return str(self.timestamp)

    @property
    def unix_timestamp(self) -> int:
        return self.timestamp

    @property
    def sent_at(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp, UTC)

    @property
    def sender_id(self) -> str:
        """Business-scoped id first, else phone number; empty when the message names neither."""
        return self.from_bsuid or self.from_ or ""

    @property
    def sender_phone(self) -> str:
        return self.from_ or ""

    @property
    def has_bsuid(self) -> bool:
        return bool(self.from_bsuid)

    @property
    def has_phone_number(self) -> bool:
        return bool(self.from_)

    @property
    def is_username_only_sender(self) -> bool:
        return not self.from_ and bool(self.from_bsuid)

    @property
    def conversation_id(self) -> str:
        return self.group_id or self.sender_id

    @property
    def conversation_type(self) -> ConversationType:
        return ConversationType.GROUP if self.group_id else ConversationType.PRIVATE

    @property
    def text_content(self) -> str:
        """What a handler reads as the message's text. Captions are not text."""
        return ""

    @property
    def is_reply(self) -> Flag:
        return Flag(self.context is not None and self.context.is_reply)

    @property
    def is_forwarded(self) -> Flag:
        """Also when the platform says only that it was forwarded often."""
        return Flag(self.context is not None and self.context.is_forward)

    @property
    def is_frequently_forwarded(self) -> Flag:
        return Flag(self.context is not None and bool(self.context.frequently_forwarded))

    @property
    def is_ad_message(self) -> Flag:
        return Flag(self.referral is not None)

    @property
    def original_message_id(self) -> str | None:
        """The message that this one answers: the one whose button was pressed, the one that was quoted."""
        return self.context.id if self.context else None

    @property
    def original_sender(self) -> str | None:
        return self.context.original_sender_id if self.context else None

    @property
    def is_image(self) -> Flag:
        return Flag(self.type == "image")

    @property
    def is_video(self) -> Flag:
        return Flag(self.type == "video")

    @property
    def is_audio(self) -> Flag:
        return Flag(self.type == "audio")

    @property
    def is_document(self) -> Flag:
        return Flag(self.type == "document")

    def has_context(self) -> bool:
        return self.context is not None

    def get_context(self) -> MessageContext | None:
        return self.context

    def get_ad_context(self) -> tuple[str | None, str | None]:
        """The ad's id and the click's id; both None when the user came from no ad."""
        return (self.referral.source_id, self.referral.ctwa_clid) if self.referral else (None, None)

    def get_platform_data(self) -> dict[str, Any]:
        """The message in the provider's shape."""
        return self.model_dump(exclude_unset=True)

    def to_universal_dict(self) -> dict[str, Any]:
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
        """What may be logged: ids and type, never the content."""
        return {
            "message_id": self.id,
            "message_type": self.type,
            "sender_id": self.sender_id,
            "timestamp": self.timestamp,
            "has_context": self.has_context(),
        }

    def get_message_summary(self) -> dict[str, Any]:
        return self.to_summary_dict()
