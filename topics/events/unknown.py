"""An event that this version has no model for. It is passed on whole."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from pipeline.topics.events.base import EventBase
from pipeline.topics.events.user import User


class UnknownEvent(EventBase):
    """A message of a type without a model, a webhook field without one, or a shape that nobody promised.

    This is the one way that something new takes: there is no message and no account event "of unknown type".
    `event_type` is what it calls itself: `message.hologram`, `status.read`, `error`, `field.holograms`; and `change`,
    `entry` or `webhook` for a piece of the envelope that is not built as it should be. When a type gets a model, its
    events keep their ids and change their kind.

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
        """True if a user wrote it, in a new type or an odd shape."""
        return self.event_type.startswith("message.")

    @property
    def message_id(self) -> str | None:
        """The provider's id of the part, if it has one."""
        found = self.part.get("id") if isinstance(self.part, dict) else None
        return found if isinstance(found, str) else None

    def get_message_type_name(self) -> str:
        """Return `hologram` for `message.hologram` and for `field.hologram`."""
        return self.event_type.partition(".")[2] or self.event_type

    @property
    def field_name(self) -> str:
        """The same as `get_message_type_name`."""
        return self.get_message_type_name()

    @property
    def raw_value(self) -> Any:
        """The part, by Wappa's name."""
        return self.part

    def get_summary(self) -> dict[str, Any]:
        """Return the fields that may be logged, as `EventBase.get_summary` does."""
        return super().get_summary() | {"event_type": self.event_type}
