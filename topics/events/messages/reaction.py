"""Reactions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.topics.events.messages.base import MessageBase
from pipeline.topics.events.model import EventModel, Flag


class ReactionContent(EventModel):
    """`emoji` is missing or empty when a reaction was taken back."""

    message_id: str
    emoji: str | None = None


class ReactionMessage(MessageBase):
    """A reaction to a message, or its end.

    A provider fills `reaction.message_id` with the id of the message that was reacted to. Where it gives the reaction
    no id of its own, it makes one of that id, the person and the emoji.
    """

    type: Literal["reaction"]
    reaction: ReactionContent = Field(repr=False)

    @property
    def target_message_id(self) -> str:
        """The message that the user reacts to."""
        return self.reaction.message_id

    @property
    def emoji(self) -> str:
        """Empty when the reaction was taken back."""
        return self.reaction.emoji or ""

    @property
    def is_adding_reaction(self) -> Flag:
        """True for a new reaction."""
        return Flag(bool(self.reaction.emoji))

    @property
    def is_removing_reaction(self) -> Flag:
        """True for a reaction that is taken back."""
        return Flag(not self.reaction.emoji)

    def get_emoji_display(self) -> str:
        """Return the emoji; `(removed)` for a reaction that is taken back."""
        return self.emoji or "(removed)"
