"""Something that this version has no model for. It is handed on whole, never dropped and never refused."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from topics.events.base import EventBase
from topics.events.user import User


class UnknownEvent(EventBase):
    """A message of a type without a model, a webhook field without one, or a shape that nobody promised.

    `event_type` is what it calls itself: `message.image`, `status.read`, `error`, `user_action`, `field.calls`; and
    `change`, `entry` or `webhook` for a piece of the envelope that is not built as it should be.

    Attributes:
        part: the JSON of this part alone, e.g. the element of `messages[]`; `raw` holds it in its envelope.
        user: who sent it, where the part names somebody.
    """

    webhook_type: ClassVar[str] = "unknown"

    kind: Literal["unknown"]
    part: Any = Field(None, repr=False)
    user: User | None = None

    @property
    def is_message(self) -> bool:
        """Whether a user wrote it: an image, a location, a type of tomorrow."""
        return self.event_type.startswith("message.")

    @property
    def message_id(self) -> str | None:
        """The provider's id of the part, where it has one."""
        found = self.part.get("id") if isinstance(self.part, dict) else None
        return found if isinstance(found, str) else None

    def get_message_type_name(self) -> str:
        """`image` for `message.image`; `calls` for `field.calls`."""
        return self.event_type.partition(".")[2] or self.event_type

    def get_summary(self) -> dict[str, Any]:
        return super().get_summary() | {"event_type": self.event_type}
