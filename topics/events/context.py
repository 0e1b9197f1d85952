"""What a message refers to: the message it answers, the product it asks about, the ad it came from.

Shapes: Cloud API, "Messages: common fields". Any message type can have a context; none has to.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.topics.events.model import EventModel


class ReferredProduct(EventModel):
    """The catalogue item that a message asks about."""

    catalog_id: str | None = None
    product_retailer_id: str | None = None


class MessageContext(EventModel):
    """Why a message is not on its own. A forward has flags and no id; a reply has an id and no flags."""

    id: str | None = None
    from_: str | None = Field(None, alias="from")
    from_bsuid: str | None = Field(None, alias="from_user_id")
    from_parent_bsuid: str | None = Field(None, alias="from_parent_user_id")
    forwarded: bool | None = None
    frequently_forwarded: bool | None = None
    referred_product: ReferredProduct | None = None

    @property
    def message_id(self) -> str | None:
        """The id of the message that this one replies to."""
        return self.id

    @property
    def original_message_id(self) -> str | None:
        """The message that this one answers."""
        return self.id

    @property
    def original_sender_id(self) -> str | None:
        """The sender of that message: the business-scoped id if there is one, else the phone number."""
        return self.from_bsuid or self.from_

    @property
    def is_forward(self) -> bool:
        """True if the message was forwarded, once or often."""
        return bool(self.forwarded or self.frequently_forwarded)

    @property
    def is_reply(self) -> bool:
        """True if the message replies to another."""
        return self.id is not None and not self.is_forward

    def to_universal_dict(self) -> dict[str, Any]:
        """Return Wappa's dict of a context."""
        return {
            "original_message_id": self.original_message_id,
            "original_sender_id": self.original_sender_id,
            "is_reply": self.is_reply,
            "is_forward": self.is_forward,
        }


class ForwardContext(EventModel):
    """That a message was forwarded. WhatsApp tells neither how often nor by whom it was written first."""

    is_forwarded: bool
    is_frequently_forwarded: bool
    forward_count: int | None = None
    original_sender: str | None = None


class BusinessContext(EventModel):
    """The business message or catalogue item that a user's message came from."""

    contextual_message_id: str = ""
    business_phone_number: str | None = None
    catalog_id: str | None = None
    product_retailer_id: str | None = None

    def has_product_context(self) -> bool:
        """Return True if a product is named."""
        return self.product_retailer_id is not None


class WelcomeMessage(EventModel):
    """The greeting that an ad showed."""

    text: str | None = None


class AdReferral(EventModel):
    """The ad or post that a user came from. Only `source_url`, `source_id` and `source_type` are sure."""

    source_url: str | None = None
    source_id: str | None = None
    source_type: str | None = None
    headline: str | None = None
    body: str | None = Field(None, repr=False)
    media_type: str | None = None
    image_url: str | None = None
    video_url: str | None = None
    thumbnail_url: str | None = None
    ctwa_clid: str | None = None
    welcome_message: WelcomeMessage | None = None

    @property
    def ad_headline(self) -> str | None:
        """The headline of the ad."""
        return self.headline

    @property
    def ad_body(self) -> str | None:
        """The text of the ad."""
        return self.body

    @property
    def click_id(self) -> str | None:
        """The id of the click (`ctwa_clid`)."""
        return self.ctwa_clid

    @property
    def welcome_message_text(self) -> str | None:
        """The greeting that the ad shows, if it has one."""
        return self.welcome_message.text if self.welcome_message else None

    def has_media(self) -> bool:
        """Return True if the ad has an image or a video."""
        return bool(self.image_url or self.video_url or self.thumbnail_url)

    def is_video_ad(self) -> bool:
        """Return True if the ad has a video."""
        return self.media_type == "video" or self.video_url is not None
