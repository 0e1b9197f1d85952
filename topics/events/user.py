"""The person on the other side."""

from __future__ import annotations

from pydantic import Field

from pipeline.topics.events.model import Model


class User(Model):
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
        """What a reply is sent to: the business-scoped id where there is one, else the phone number."""
        return self.bsuid or self.phone_number

    @property
    def wa_id(self) -> str | None:
        return self.phone_number or None

    @property
    def has_bsuid(self) -> bool:
        return bool(self.bsuid)

    @property
    def has_phone_number(self) -> bool:
        return bool(self.phone_number)

    @property
    def has_username(self) -> bool:
        return bool(self.username)

    def get_display_name(self) -> str:
        """The profile's name, else the phone number, else the user id."""
        return self.profile_name or self.phone_number or self.user_id

    def get_user_key(self) -> str:
        return self.user_id
