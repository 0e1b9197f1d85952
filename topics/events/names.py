"""The names that handlers compare with. Most are open sets: a platform adds to them at any time."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class OpenName(StrEnum):
    """A set of names that others may add to.

    Any other string becomes a member of its own for as long as it is held, with its `value` kept, and equals the same
    string.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str) or not value:
            return None
        member = str.__new__(cls, value)
        member._name_, member._value_ = value.upper(), value
        return member

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Any string, with the known ones as examples: a reader must not refuse the others."""
        found = handler.resolve_ref_schema(handler(core))
        closed: list[Any] = found.pop("enum", [])
        return found | {"minLength": 1, "examples": closed}


class PlatformType(StrEnum):
    """The messaging platform. Every provider of this project speaks WhatsApp."""

    WHATSAPP = "whatsapp"
    TELEGRAM = "telegram"
    TEAMS = "teams"
    INSTAGRAM = "instagram"


class ConversationType(StrEnum):
    """The kinds of conversation."""

    PRIVATE = "private"
    GROUP = "group"
    CHANNEL = "channel"
    BUSINESS = "business"


class WebhookType(StrEnum):
    """`EventBase.webhook_type`: the kinds of events by the names that handlers know."""

    INCOMING_MESSAGE = "incoming_message"
    STATUS = "status"
    ERROR = "error"
    SYSTEM = "system"
    API_MESSAGE = "api_message"
    UNKNOWN = "unknown"


class MessageType(OpenName):
    """The types of message. `contacts`, as the Cloud API writes it, is `CONTACT`."""

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
    POLL = "poll"
    POLL_VOTE = "poll_vote"
    GROUP_NOTICE = "group_notice"
    CALL_NOTICE = "call_notice"
    UNSUPPORTED = "unsupported"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls("contact") if value == "contacts" else super()._missing_(value)


class InteractiveType(OpenName):
    """The ways to answer an interactive message."""

    BUTTON_REPLY = "button_reply"
    LIST_REPLY = "list_reply"
    FLOW_REPLY = "nfm_reply"
    CALL_PERMISSION_REPLY = "call_permission_reply"
    QUICK_REPLY = "quick_reply"
    INLINE_KEYBOARD = "inline_keyboard"
    CAROUSEL = "carousel"
    MENU = "menu"


class MediaType(OpenName):
    """The type of a file, without its parameters: `audio/ogg; codecs=opus` is `AUDIO_OGG`."""

    IMAGE_JPEG = "image/jpeg"
    IMAGE_PNG = "image/png"
    IMAGE_WEBP = "image/webp"
    IMAGE_GIF = "image/gif"
    AUDIO_AAC = "audio/aac"
    AUDIO_AMR = "audio/amr"
    AUDIO_MPEG = "audio/mpeg"
    AUDIO_MP4 = "audio/mp4"
    AUDIO_OGG = "audio/ogg"
    VIDEO_MP4 = "video/mp4"
    VIDEO_3GPP = "video/3gpp"
    DOCUMENT_PDF = "application/pdf"
    DOCUMENT_DOC = "application/msword"
    DOCUMENT_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    DOCUMENT_XLS = "application/vnd.ms-excel"
    DOCUMENT_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    DOCUMENT_PPT = "application/vnd.ms-powerpoint"
    DOCUMENT_PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    TEXT_PLAIN = "text/plain"
    UNKNOWN = "application/octet-stream"

    @classmethod
    def of(cls, mime_type: str | None) -> MediaType:
        """Return the type of a `Content-Type`; `UNKNOWN` if there is none."""
        bare = (mime_type or "").partition(";")[0].strip().lower()
        return cls(bare) if bare else cls.UNKNOWN


class MessageStatus(OpenName):
    """The statuses of a message that was sent."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    FAILED = "failed"
    DELETED = "deleted"
    PENDING = "pending"
