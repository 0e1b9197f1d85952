"""The closed sets of names that handlers compare with, and the one open set: a message's status."""

from __future__ import annotations

from enum import StrEnum


class PlatformType(StrEnum):
    """The messaging platform. Every provider of this project speaks WhatsApp."""

    WHATSAPP = "whatsapp"
    TELEGRAM = "telegram"
    TEAMS = "teams"
    INSTAGRAM = "instagram"


class ConversationType(StrEnum):
    """Whom a conversation is with."""

    PRIVATE = "private"
    GROUP = "group"
    CHANNEL = "channel"
    BUSINESS = "business"


class MessageType(StrEnum):
    """What a message holds. Providers' other words for the same thing are mapped to these."""

    TEXT = "text"
    INTERACTIVE = "interactive"
    BUTTON = "button"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"
    CONTACT = "contact"
    LOCATION = "location"
    ORDER = "order"
    STICKER = "sticker"
    REACTION = "reaction"
    SYSTEM = "system"
    EDIT = "edit"
    REVOKE = "revoke"
    UNSUPPORTED = "unsupported"


class MessageStatus(StrEnum):
    """What became of a message that was sent.

    An open set: any other string becomes a member of its own for as long as it is held, with its `value` kept,
    and equals the same string.
    """

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    FAILED = "failed"
    DELETED = "deleted"
    PENDING = "pending"

    @classmethod
    def _missing_(cls, value: object) -> MessageStatus | None:
        if not isinstance(value, str) or not value:
            return None
        member = str.__new__(cls, value)
        member._name_, member._value_ = value.upper(), value
        return member
