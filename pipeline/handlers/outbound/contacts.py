"""Contact cards, by Wappa's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import Unsendable
from pipeline.handlers.outbound import checks

_PARTS: Final = ("first_name", "last_name", "middle_name", "suffix", "prefix")
Short = Annotated[str, Field(max_length=100)]


class _Model(BaseModel):
    # Unknown fields are sent as they are, so that fields that Meta adds work at once.
    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)


class OutboundContactName(_Model):
    """The name of a card; `formatted_name` is shown. Meta requires at least one of the other parts."""

    formatted_name: Annotated[str, Field(min_length=1, max_length=100)]
    first_name: Short | None = None
    last_name: Short | None = None
    middle_name: Short | None = None
    suffix: Short | None = None
    prefix: Short | None = None


class OutboundContactPhone(_Model):
    """A phone number of a card. With `wa_id` the card offers a chat instead of an invitation."""

    phone: Annotated[str, Field(min_length=1)]
    type: str | None = None
    wa_id: str | None = None


class OutboundContactEmail(_Model):
    """An e-mail address of a card."""

    email: str
    type: str | None = None


class OutboundContactUrl(_Model):
    """A web address of a card."""

    url: str
    type: str | None = None


class OutboundContactAddress(_Model):
    """A postal address of a card."""

    street: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    country_code: str | None = None
    type: str | None = None


class OutboundContactOrganization(_Model):
    """The employer of a card."""

    company: Short | None = None
    department: Short | None = None
    title: Short | None = None


class OutboundContactCard(_Model):
    """A person or business: a name and 1 to 5 phone numbers; at most 5 of everything else. `birthday`: YYYY-MM-DD."""

    name: OutboundContactName
    phones: Annotated[list[OutboundContactPhone], Field(min_length=1, max_length=5)]
    emails: Annotated[list[OutboundContactEmail], Field(max_length=5)] | None = None
    urls: Annotated[list[OutboundContactUrl], Field(max_length=5)] | None = None
    addresses: Annotated[list[OutboundContactAddress], Field(max_length=5)] | None = None
    org: OutboundContactOrganization | None = None
    birthday: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None


# Wappa's names. The models of received cards have the same ones, which are published in the schemas of events.
ContactCard = OutboundContactCard
ContactName, ContactPhone, ContactEmail = OutboundContactName, OutboundContactPhone, OutboundContactEmail
ContactUrl, ContactAddress = OutboundContactUrl, OutboundContactAddress
ContactOrganization = OutboundContactOrganization

Contact = OutboundContactCard | Mapping[str, Any]


def contact_of(value: object) -> dict[str, Any]:
    """Return a card as the Cloud API writes it, without empty fields."""
    card = checks.model(OutboundContactCard, value, "INVALID_CONTACT_FORMAT", name="ContactCard")
    if not any(getattr(card.name, part) for part in _PARTS):
        wrong = "a contact's name has a formatted_name alone: give first_name, too, or another part of the name"
        raise Unsendable(wrong, "INVALID_CONTACT_FORMAT")
    return {name: part for name, part in card.model_dump(mode="json", exclude_none=True).items() if part != []}
