"""Chats, contacts, labels, polls and invitations."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.topics.events.details.base import AccountEventDetail, Seconds, Text


class ContactChange(AccountEventDetail):
    """A contact in the business' address book. `action`: add, remove; gateways: upsert, update.

    `contact` holds the Cloud API's `full_name`, `first_name`, `phone_number`, `user_id`; gateways fill these and add
    their own (`jid`, `notify`, `imgUrl`, …).
    """

    type: str | None = None
    action: str | None = None
    metadata: dict[str, Any] | None = None
    contact: dict[str, Any] | None = Field(None, repr=False)


class ChatChange(AccountEventDetail):
    """`action`: upsert, update, delete, archive, unarchive."""

    chat_id: str | None = None
    action: str | None = None
    name: str | None = Field(None, repr=False)
    unread_count: int | None = None
    timestamp: Seconds | None = None


class LabelChange(AccountEventDetail):
    """`action`: upsert, delete, add (to `chat_id`), remove (from it)."""

    label_id: Text | None = None
    action: str | None = None
    name: str | None = None
    color: Text | None = None
    chat_id: str | None = None


class PollResults(AccountEventDetail):
    """The whole tally: `results` are `{"name": option, "voters": [JID]}`."""

    poll_message_id: str | None = None
    results: list[dict[str, Any]] = Field(default_factory=list, repr=False)


class EventResponse(AccountEventDetail):
    """A user's answer to an invitation: GOING, NOT_GOING, MAYBE; None where it could not be decrypted."""

    event_message_id: str | None = None
    response: str | None = None
    extra_guests: int | None = None
    timestamp: Seconds | None = None
