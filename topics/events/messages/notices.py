"""Notices of a chat between its messages. Gateways send them as messages; the Cloud API has account events."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.topics.events.messages.base import MessageBase
from pipeline.topics.events.model import EventModel, Flag, Number


class GroupNoticeContent(EventModel):
    """A group was changed from within.

    Attributes:
        action: `add`, `remove`, `leave`, `promote`, `demote`, `create`, `subject`, `description`, `icon`, `announce`,
            `restrict`, `invite`; any other word of the provider.
        participants: JIDs or phone numbers, as the provider wrote them.
        value: the new subject, description or setting.
    """

    action: str
    participants: list[str] = Field(default_factory=list, repr=False)
    value: str | None = Field(None, repr=False)


class GroupNoticeMessage(MessageBase):
    """A notice in a group's chat. A provider fills `group_notice.action`, `group_id`, and who did it as the sender."""

    type: Literal["group_notice"]
    group_notice: GroupNoticeContent

    @property
    def action(self) -> str:
        """The provider's word for the change."""
        return self.group_notice.action


class CallNoticeContent(EventModel):
    """A call's line in the chat: `action` is `missed`, `rejected`, `ended`, …; `duration` in seconds."""

    action: str
    call_id: str | None = None
    video: bool | None = None
    duration: Number | None = None


class CallNoticeMessage(MessageBase):
    """A notice about a call. Calls while they ring are account events (`call.*`). A provider fills `action`."""

    type: Literal["call_notice"]
    call_notice: CallNoticeContent

    @property
    def action(self) -> str:
        """The provider's word for the change."""
        return self.call_notice.action

    @property
    def is_missed(self) -> Flag:
        """True for a missed call."""
        return Flag(self.call_notice.action == "missed")
