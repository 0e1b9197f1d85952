"""Text messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from pipeline.topics.events.messages.base import MessageBase
from pipeline.topics.events.model import EventModel, Flag


class TextContent(EventModel):
    """1 to 4,096 characters by the Cloud API's documents; not enforced on what comes in."""

    body: str = Field(repr=False)


class TextMessage(MessageBase):
    """A text, alone, as a reply, forwarded, or about a product or an ad. A provider fills `text.body`."""

    type: Literal["text"]
    text: TextContent

    @property
    def text_content(self) -> str:
        """The text."""
        return self.text.body

    @property
    def message_body(self) -> str:
        """The text."""
        return self.text.body

    @property
    def is_business_button_reply(self) -> Flag:
        """True if it was written from a catalogue item's "message business" button."""
        return Flag(self.context is not None and self.context.referred_product is not None)

    def get_text_length(self) -> int:
        """Return the number of characters."""
        return len(self.text.body)

    def contains_keyword(self, keyword: str, case_sensitive: bool = False) -> bool:
        """Return True if the text contains the keyword; case matters only if `case_sensitive`."""
        if case_sensitive:
            return keyword in self.text.body
        return keyword.casefold() in self.text.body.casefold()

    def contains_any_keyword(self, keywords: Iterable[str], case_sensitive: bool = False) -> bool:
        """Return True if the text contains one of the keywords."""
        return any(self.contains_keyword(keyword, case_sensitive) for keyword in keywords)

    def get_reply_context(self) -> tuple[str | None, str | None]:
        """Sender and id of the message that this one answers."""
        if self.context is None or not self.context.is_reply:
            return None, None
        return self.context.original_sender_id, self.context.id

    def get_product_context(self) -> tuple[str | None, str | None]:
        """Catalogue id and product id of the item that this message asks about."""
        product = self.context.referred_product if self.context else None
        return (product.catalog_id, product.product_retailer_id) if product else (None, None)
