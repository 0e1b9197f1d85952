"""Quick replies of templates."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pipeline.topics.events.messages.base import MessageBase
from pipeline.topics.events.model import EventModel


class ButtonContent(EventModel):
    """`text` is what the button says; `payload` what the template gave it."""

    text: str = Field("", repr=False)
    payload: str | None = Field(None, repr=False)


class ButtonMessage(MessageBase):
    """A press on a template's button. A provider fills `button`; the context may be missing."""

    type: Literal["button"]
    button: ButtonContent

    @property
    def text_content(self) -> str:
        """The text of the button."""
        return self.button.text

    @property
    def button_text(self) -> str:
        """The text of the button."""
        return self.button.text

    @property
    def button_payload(self) -> str | None:
        """The payload of the button."""
        return self.button.payload

    @property
    def business_phone(self) -> str | None:
        """The number that the template was sent from."""
        return self.context.from_ if self.context else None

    def get_button_context(self) -> dict[str, Any]:
        """Return text, payload and the message that had the button."""
        return {
            "button_text": self.button_text,
            "button_payload": self.button_payload,
            "original_message_id": self.original_message_id,
            "business_phone": self.business_phone,
        }
