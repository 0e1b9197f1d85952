"""Commands: the values with which a handler asks the messenger to act.

A command's id is derived from the id of the event that caused it and its index among that event's commands. A handler
that runs again makes the same ids, so the messenger recognizes them.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from pipeline.topics.keys import account_key

PREFIX: Final = "cmd-"
"""Prefix of every command id, so that it is recognized when a provider sends it back."""


_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Priority(StrEnum):
    """The priority of a command, which decides its topic."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class CommandKind(StrEnum):
    """The kind of a command, which decides the shape of `body`. A field with a `?` is optional.

    The shapes are independent of the provider: each provider translates them, and rejects kinds that it can't send.
    `media` is exactly one of `{"id": str}` (the provider's own id), `{"link": url}`, `{"data": base64}` (small
    files, for providers without an upload) and `{"upload": …}` (`pipeline.topics.uploads`, for all providers), with
    `mime_type?` and `filename?` beside it.
    `header` is `{"type": "text", "text": str}` or `{"type": "image" | "video" | "document", "media": media}`.
    """

    TEXT = "text"
    """`{"text": str, "preview_url": bool, "mentions?": [str]}`"""
    READ = "read"
    """`{"message_id": str, "typing": bool}`"""
    TYPING = "typing"
    """`{"on": bool}`"""
    IMAGE = "image"
    """`{"media": media, "caption?": str, "view_once?": bool}`"""
    VIDEO = "video"
    """`{"media": media, "caption?": str, "view_once?": bool}`"""
    AUDIO = "audio"
    """`{"media": media, "voice?": bool}`: a voice note when `voice`."""
    DOCUMENT = "document"
    """`{"media": media, "caption?": str}`"""
    STICKER = "sticker"
    """`{"media": media}`"""
    LOCATION = "location"
    """`{"latitude": float, "longitude": float, "name?": str, "address?": str}`"""
    LOCATION_REQUEST = "location_request"
    """`{"text": str}`"""
    CONTACTS = "contacts"
    """`{"contacts": [contact]}`, each in the form of the Cloud API (`name.formatted_name`, `phones`, …)."""
    CONTACT_REQUEST = "contact_request"
    """`{"text": str}`"""
    BUTTONS = "buttons"
    """`{"text": str, "buttons": [{"id": str, "title": str}], "header?": header, "footer?": str}`"""
    LIST = "list"
    """`{"text", "button": str, "sections": [section], "header?", "footer?"}`; a section is
    `{"title?": str, "rows": [{"id": str, "title": str, "description?": str}]}`."""
    CTA = "cta"
    """`{"text": str, "button": str, "url": str, "header?": header, "footer?": str}`"""
    FLOW = "flow"
    """`{"text", "button": str, "flow": {…: the parameters of Meta's flow action}, "header?", "footer?"}`"""
    PRODUCT = "product"
    """`{"catalog_id": str, "product_retailer_id": str, "text?": str, "footer?": str}`"""
    PRODUCTS = "products"
    """`{"catalog_id", "sections": [{"title", "product_retailer_ids": [str]}], "text", "header": header, "footer?"}`"""
    CATALOG = "catalog"
    """`{"text": str, "thumbnail_product_retailer_id?": str, "footer?": str}`"""
    CAROUSEL = "carousel"
    """`{"text": str, "cards": [{"header": header, "text?": str, "buttons?": […], "cta?": {"button", "url"}}]}`"""
    ADDRESS = "address"
    """`{"text": str, "country": str, "values?": {…}, "saved_addresses?": […]}`"""
    CALL = "call"
    """`{"text": str, "button?": str, "ttl_minutes?": int}`: a button that calls the business."""
    CALL_PERMISSION = "call_permission"
    """`{"text": str}`"""
    GROUP_INVITE = "group_invite"
    """`{"group_id": str, "text?": str}`"""
    TEMPLATE = "template"
    """`{"name": str, "language": str, "components?": [component], "category?": str, "marketing?": bool}`, the
    components in the form of the Cloud API; `marketing` uses Meta's endpoint for marketing messages."""
    REACTION = "reaction"
    """`{"message_id": str, "emoji": str}`; an empty emoji removes the reaction."""
    POLL = "poll"
    """`{"question": str, "options": [str], "multiple": bool}`"""
    EDIT = "edit"
    """`{"message_id": str, "text": str}`"""
    REVOKE = "revoke"
    """`{"message_id": str}`: delete it for everyone."""
    FORWARD = "forward"
    """`{"message_id": str}`"""
    PIN = "pin"
    """`{"message_id": str, "on": bool, "seconds?": int}`"""

    @classmethod
    def _missing_(cls, value: object) -> CommandKind | None:
        """Return a kind of a newer version with its name, so that the command can wait for a worker that knows it."""
        if not isinstance(value, str) or not _KIND.fullmatch(value):
            return None
        newer = str.__new__(cls, value)
        newer._name_, newer._value_ = value.upper(), value
        return newer

    @property
    def known(self) -> bool:
        """True if this version has the kind."""
        return self.value in CommandKind._value2member_map_


IMMEDIATE: Final = frozenset({CommandKind.READ, CommandKind.TYPING})
"""Kinds that are sent at once: they are useful while the handler still runs, and harmless when sent twice."""


class Command(BaseModel):
    """One action for one recipient through one account.

    Attributes:
        command_id: deterministic, at most 512 characters (Cloud API carries it in `biz_opaque_callback_data`).
        event_id: the event that caused it, if one did.
        recipient: phone number, business-scoped user id, group id or JID, as the provider writes it.
        reply_to: id of the provider's message that this one answers.
        created_at: the beginning of its lifetime (`lifetimes`). It is not sent after that, and its outcome says
            `expired`.
        expires_at: an end that comes before that of its lifetime.
        campaign: groups sends in reports; every status brings it back (`pipeline.topics.callback_data`).
        tags: the same, up to five of them.
        traceparent: W3C trace context of the webhook.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    command_id: str
    event_id: str | None = None
    tenant_id: str
    provider: str
    account: str
    recipient: str
    kind: CommandKind
    body: dict[str, Any] = Field(default_factory=dict)
    reply_to: str | None = None
    priority: Priority = Priority.INTERACTIVE
    created_at: datetime
    expires_at: datetime | None = None
    campaign: str | None = None
    tags: tuple[str, ...] | None = None
    traceparent: str | None = None

    @property
    def account_key(self) -> str:
        return account_key(self.provider, self.account)


def command_id(event_id: str, step: int) -> str:
    """Return the id of the `step`-th command of an event (-1, -2, … for early ones): `cmd-` and 32 hex digits."""
    digest = hashlib.blake2b(f"{event_id}\n{step}".encode(), digest_size=16)
    return PREFIX + digest.hexdigest()
