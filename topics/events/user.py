"""The person on the other side."""

from __future__ import annotations

from pydantic import Field

from pipeline.topics.events.model import EventModel


class User(EventModel):
    """A WhatsApp user, as far as one webhook tells. Any field may be missing: usernames hide phone numbers.

    Attributes:
        phone_number: digits only, as the platform writes it (`wa_id`); empty when it is hidden.
        bsuid: business-scoped user id, e.g. `US.4815162342108`; the same for all numbers of one business.
        parent_bsuid: the id shared by the portfolios of a managed business.
        username: can change at any time: never a key.
    """

    phone_number: str = ""
    bsuid: str | None = None
    parent_bsuid: str | None = None
    username: str | None = None
    country_code: str | None = None
    profile_name: str | None = Field(None, repr=False)
    identity_key_hash: str | None = None

    @property
    def user_id(self) -> str:
        """The address of a reply: the business-scoped id if there is one, else the phone number."""
        return self.bsuid or self.phone_number

    @property
    def wa_id(self) -> str | None:
        """The phone number; None if it is hidden."""
        return self.phone_number or None

    @property
    def has_bsuid(self) -> bool:
        """True if the user has a business-scoped id."""
        return bool(self.bsuid)

    @property
    def has_phone_number(self) -> bool:
        """True if the phone number is known."""
        return bool(self.phone_number)

    @property
    def has_username(self) -> bool:
        """True if the user has a username."""
        return bool(self.username)

    def get_display_name(self) -> str:
        """Return the profile name, else the phone number, else the user id."""
        return self.profile_name or self.phone_number or self.user_id

    def get_user_key(self) -> str:
        """Return the user id."""
        return self.user_id
