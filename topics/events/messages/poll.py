"""Polls and votes. The Cloud API has neither; the gateways do."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.topics.events.messages.base import MessageBase
from pipeline.topics.events.model import EventModel, Flag


class PollContent(EventModel):
    """A question with options. `selectable_count` is how many may be chosen, 0 for any number."""

    name: str = Field("", repr=False)
    options: list[str] = Field(default_factory=list, repr=False)
    selectable_count: int | None = None


class PollMessage(MessageBase):
    """A poll that a user made. A provider fills `poll.name` (the question) and `poll.options`."""

    type: Literal["poll"]
    poll: PollContent

    @property
    def question(self) -> str:
        """The question."""
        return self.poll.name

    @property
    def is_multiple_choice(self) -> Flag:
        """True if users may choose several answers."""
        return Flag(self.poll.selectable_count != 1)


class PollVoteContent(EventModel):
    """Which options one person has chosen now, by their words. None: the vote could not be decrypted."""

    poll_message_id: str
    selected_options: list[str] | None = Field(None, repr=False)


class PollVoteMessage(MessageBase):
    """A vote, or its change: the whole choice, not the difference.

    A provider fills `poll_vote`, and `context.id` with the poll's message. Where it gives the vote no id of its own, it
    makes one of the poll's id, the voter and the choice.
    """

    type: Literal["poll_vote"]
    poll_vote: PollVoteContent

    @property
    def poll_message_id(self) -> str:
        """The message with the poll."""
        return self.poll_vote.poll_message_id

    @property
    def selected_options(self) -> list[str]:
        """The chosen answers; empty if the user took the vote back."""
        return list(self.poll_vote.selected_options or ())

    @property
    def is_withdrawn(self) -> Flag:
        """True if the person has removed every choice."""
        return Flag(self.poll_vote.selected_options == [])
