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
    # What Meta adds to cards goes out as it is given.
    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)


class ContactName(_Model):
    """`formatted_name` is what is shown. Meta takes it beside at least one of the others only."""

    formatted_name: Annotated[str, Field(min_length=1, max_length=100)]
    first_name: Short | None = None
    last_name: Short | None = None
    middle_name: Short | None = None
    suffix: Short | None = None
    prefix: Short | None = None


class ContactPhone(_Model):
    """`wa_id` makes the card offer a chat instead of an invitation."""

    phone: Annotated[str, Field(min_length=1)]
    type: str | None = None
    wa_id: str | None = None


class ContactEmail(_Model):
    email: str
    type: str | None = None


class ContactUrl(_Model):
    url: str
    type: str | None = None


class ContactAddress(_Model):
    street: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    country_code: str | None = None
    type: str | None = None


class ContactOrganization(_Model):
    company: Short | None = None
    department: Short | None = None
    title: Short | None = None


class ContactCard(_Model):
    """A person or business: a name and 1 to 5 phone numbers; at most 5 of everything else. `birthday`: YYYY-MM-DD."""

    name: ContactName
    phones: Annotated[list[ContactPhone], Field(min_length=1, max_length=5)]
    emails: Annotated[list[ContactEmail], Field(max_length=5)] | None = None
    urls: Annotated[list[ContactUrl], Field(max_length=5)] | None = None
    addresses: Annotated[list[ContactAddress], Field(max_length=5)] | None = None
    org: ContactOrganization | None = None
    birthday: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None


Contact = ContactCard | Mapping[str, Any]


def contact_of(value: object) -> dict[str, Any]:
    """A card as the Cloud API writes it: what there is none of is not there."""
    card = checks.model(ContactCard, value, "INVALID_CONTACT_FORMAT")
    if not any(getattr(card.name, part) for part in _PARTS):
        wrong = "a contact's name has a formatted_name alone: give first_name, too, or another part of the name"
        raise Unsendable(wrong, "INVALID_CONTACT_FORMAT")
    return {name: part for name, part in card.model_dump(mode="json", exclude_none=True).items() if part != []}
