"""A message of a user."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

from pipeline.topics.events.base import EventBase
from pipeline.topics.events.context import AdReferral, BusinessContext, ForwardContext
from pipeline.topics.events.messages import InteractiveMessage, Message
from pipeline.topics.events.user import User


class _ContactsName(str):
    """The type `contacts`, which equals `contact` too: half of the published examples call it so."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return other in ("contact", "contacts")

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


CONTACTS: Final = _ContactsName("contacts")


class MessageEvent(EventBase):
    """One message of a user: the argument of `process_message`.

    A provider fills `user` and `message` (`pipeline.topics.events.messages`); `event_type` is `message.<type>`.
    """

    webhook_type: ClassVar[str] = "incoming_message"

    kind: Literal["message"]
    user: User
    message: Message

    @property
    def whatsapp(self) -> User:
        """The sender, by Wappa's name for the platform's own data."""
        return self.user

    @property
    def business_context(self) -> BusinessContext | None:
        """The catalogue item that the message asks about."""
        context = self.message.context
        if context is None or context.referred_product is None:
            return None
        return BusinessContext(
            contextual_message_id=context.id or "",
            business_phone_number=context.from_,
            catalog_id=context.referred_product.catalog_id,
            product_retailer_id=context.referred_product.product_retailer_id,
        )

    @property
    def forward_context(self) -> ForwardContext | None:
        """The forwarding of the message; None if it was not forwarded."""
        context = self.message.context
        if context is None or not context.is_forward:
            return None
        return ForwardContext(is_forwarded=True, is_frequently_forwarded=bool(context.frequently_forwarded))

    @property
    def ad_referral(self) -> AdReferral | None:
        """The ad that the user came from, if any."""
        return self.message.referral

    def get_message_text(self) -> str:
        """Return the text or the template button's text; else the id of the chosen option; else "".

        Captions are not text.
        """
        return self.message.text_content or self.get_interactive_selection() or ""

    def get_message_type_name(self) -> str:
        """Return `text`, `image`, …; a contact card's equals `contacts` and `contact`, since documents say both."""
        return CONTACTS if self.message.type == "contacts" else self.message.type

    def get_interactive_selection(self) -> str | None:
        """Return the id of the button or row that the user chose; None for anything else."""
        message = self.message
        return (message.selected_option_id or None) if isinstance(message, InteractiveMessage) else None

    def get_conversation_id(self) -> str:
        """Return the group's id, else the sender's."""
        return self.message.conversation_id

    def get_sender_display_name(self) -> str:
        """Return the sender's profile name, else phone number, else user id."""
        return self.user.get_display_name()

    def has_business_context(self) -> bool:
        """Return True if the message asks about a catalogue item."""
        return self.business_context is not None

    def has_ad_referral(self) -> bool:
        """Return True if the user came from an ad."""
        return self.ad_referral is not None

    def was_forwarded(self) -> bool:
        """Return True if the message was forwarded, once or often."""
        return self.forward_context is not None

    def get_summary(self) -> dict[str, Any]:
        """Return the fields that may be logged, as `EventBase.get_summary` does."""
        return super().get_summary() | {
            "message_type": self.message.type,
            "sender": self.user.user_id,
            "has_business_context": self.has_business_context(),
            "has_ad_referral": self.has_ad_referral(),
            "was_forwarded": self.was_forwarded(),
        }
