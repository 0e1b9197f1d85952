"""Changes of a sent message: edited, revoked. Neither is an answer to anybody."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.topics.events.context import MessageContext
from pipeline.topics.events.messages.base import MessageBase
from pipeline.topics.events.messages.media import MediaContent
from pipeline.topics.events.messages.text import TextContent
from pipeline.topics.events.model import EventModel


class EditedMessage(EventModel):
    """The message as it reads now: a text, or media with another caption. Other types stay in `model_extra`."""

    type: str | None = None
    context: MessageContext | None = None
    text: TextContent | None = None
    image: MediaContent | None = None
    video: MediaContent | None = None
    document: MediaContent | None = None


class EditContent(EventModel):
    """The new content of a message, and the message's id."""

    original_message_id: str
    message: EditedMessage | None = None


class EditMessage(MessageBase):
    """A message was corrected.

    A provider fills `edit.original_message_id` and `edit.message`. `get_message_text()` of an edit is empty, so that
    a handler that answers texts does not answer twice: read `edited_text`.
    """

    type: Literal["edit"]
    edit: EditContent

    @property
    def target_message_id(self) -> str:
        """The message that was edited."""
        return self.edit.original_message_id

    @property
    def edited_text(self) -> str:
        """The new text, or the new caption; empty where it has neither."""
        now = self.edit.message
        if now is None:
            return ""
        media = now.image or now.video or now.document
        return now.text.body if now.text else (media.caption or "" if media else "")


class RevokeContent(EventModel):
    """`by_admin`: a group's admin deleted what somebody else wrote."""

    original_message_id: str
    by_admin: bool | None = None


class RevokeMessage(MessageBase):
    """A message was deleted for everyone.

    A provider fills `revoke.original_message_id`. Where it gives the deletion no id of its own, it makes one of the
    original's, e.g. `<id>:revoke`.
    """

    type: Literal["revoke"]
    revoke: RevokeContent = Field(repr=False)

    @property
    def target_message_id(self) -> str:
        """The message that was deleted."""
        return self.revoke.original_message_id
