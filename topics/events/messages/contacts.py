"""Contact cards."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pipeline.topics.events.messages.base import MessageBase
from pipeline.topics.events.model import EventModel


class ContactName(EventModel):
    """The name of a card."""

    formatted_name: str | None = Field(None, repr=False)
    first_name: str | None = Field(None, repr=False)
    last_name: str | None = Field(None, repr=False)
    middle_name: str | None = Field(None, repr=False)
    prefix: str | None = None
    suffix: str | None = None


class ContactPhone(EventModel):
    """`wa_id` is there where the number is on WhatsApp."""

    phone: str | None = Field(None, repr=False)
    wa_id: str | None = Field(None, repr=False)
    type: str | None = None


class ContactEmail(EventModel):
    """An e-mail address of a card."""

    email: str | None = Field(None, repr=False)
    type: str | None = None


class ContactUrl(EventModel):
    """A web address of a card."""

    url: str | None = Field(None, repr=False)
    type: str | None = None


class ContactAddress(EventModel):
    """A postal address of a card."""

    street: str | None = Field(None, repr=False)
    city: str | None = Field(None, repr=False)
    state: str | None = None
    zip: str | None = Field(None, repr=False)
    country: str | None = None
    country_code: str | None = None
    type: str | None = None


class ContactOrg(EventModel):
    """The employer of a card."""

    company: str | None = None
    department: str | None = None
    title: str | None = None


class ContactCard(EventModel):
    """One person or company. Anything can be missing: a card that answers a contact request has no name.

    Attributes:
        origin: `contact_request` or `other`.
        vcard: the card as the sender's phone wrote it. Gateways give it, and often nothing else.
    """

    name: ContactName | None = None
    phones: list[ContactPhone] = Field(default_factory=list)
    emails: list[ContactEmail] = Field(default_factory=list)
    urls: list[ContactUrl] = Field(default_factory=list)
    addresses: list[ContactAddress] = Field(default_factory=list)
    org: ContactOrg | None = None
    birthday: str | None = Field(None, repr=False)
    vcard: str | None = Field(None, repr=False)
    origin: str | None = None

    @property
    def display_name(self) -> str:
        """The formatted name, else the first phone number, else empty."""
        named = self.name.formatted_name if self.name else None
        return named or (self.phones[0].phone if self.phones else None) or ""


class ContactsMessage(MessageBase):
    """One or more contact cards.

    A provider fills `contacts`; from a vCard at least `name.formatted_name` and `phones`, with the card in `vcard`.
    """

    type: Literal["contacts"]
    contacts: list[ContactCard]

    @property
    def contact_name(self) -> str:
        """The name of the first card."""
        card = self.get_primary_contact()
        return card.display_name if card else ""

    @property
    def contact_phone(self) -> str | None:
        """The first number of the first card, as the sender wrote it."""
        card = self.get_primary_contact()
        return card.phones[0].phone if card and card.phones else None

    @property
    def contact_data(self) -> dict[str, Any]:
        """Everything that the first card says."""
        card = self.get_primary_contact()
        return card.model_dump(exclude_unset=True) if card else {}

    @property
    def contact_count(self) -> int:
        """The number of cards."""
        return len(self.contacts)

    @property
    def is_single_contact(self) -> bool:
        """True for one card."""
        return len(self.contacts) == 1

    @property
    def is_multiple_contacts(self) -> bool:
        """True for several cards."""
        return len(self.contacts) > 1

    def get_primary_contact(self) -> ContactCard | None:
        """Return the first card; None if there is none."""
        return self.contacts[0] if self.contacts else None

    def get_contact_names(self) -> list[str]:
        """Return the names of all cards."""
        return [card.display_name for card in self.contacts]

    def get_whatsapp_contacts(self) -> list[ContactCard]:
        """Those with a number that is on WhatsApp."""
        return [card for card in self.contacts if any(phone.wa_id for phone in card.phones)]

    def get_business_contacts(self) -> list[ContactCard]:
        """Those that name a company."""
        return [card for card in self.contacts if card.org and card.org.company]

    def get_contact_phone_count(self) -> int:
        """Return the number of phone numbers on all cards."""
        return sum(len(card.phones) for card in self.contacts)

    def get_contact_email_count(self) -> int:
        """Return the number of e-mail addresses on all cards."""
        return sum(len(card.emails) for card in self.contacts)

    def get_contact_address_count(self) -> int:
        """Return the number of postal addresses on all cards."""
        return sum(len(card.addresses) for card in self.contacts)
