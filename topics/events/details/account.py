"""The business account and its numbers."""

from __future__ import annotations

from typing import Any

from pipeline.topics.events.details.base import AccountEventDetail, Seconds, Text


class AccountUpdate(AccountEventDetail):
    """`event` says which of the objects is there: ACCOUNT_RESTRICTION, ACCOUNT_VIOLATION, DISABLED_UPDATE, …"""

    event: str | None = None
    phone_number: Text | None = None
    restriction_info: list[dict[str, Any]] | None = None
    violation_info: dict[str, Any] | None = None
    ban_info: dict[str, Any] | None = None

    @property
    def violation_type(self) -> str | None:
        """The type of the violation, if there is one."""
        found = (self.violation_info or {}).get("violation_type")
        return found if isinstance(found, str) else None

    @property
    def restriction_types(self) -> list[str]:
        """The types of the restrictions, in order."""
        found = [each.get("restriction_type") for each in self.restriction_info or ()]
        return [each for each in found if isinstance(each, str)]


class AccountAlert(AccountEventDetail):
    """Limits, the profile, the official account."""

    entity_type: str | None = None
    entity_id: Text | None = None
    alert_info: dict[str, Any] | None = None


class AccountReview(AccountEventDetail):
    """`decision`: APPROVED, REJECTED, PENDING, DEFERRED."""

    decision: str | None = None


class Capability(AccountEventDetail):
    """The number of messages that the account may send.

    The names of the phone-number limits vary and are in `model_extra`.
    """

    max_daily_conversations_per_business: Text | None = None
    max_daily_conversation_per_phone: Text | None = None
    max_phone_numbers_per_business: int | None = None
    max_phone_numbers_per_waba: int | None = None


class PhoneNumberQuality(AccountEventDetail):
    """`event`: THROUGHPUT_UPGRADE, ONBOARDING, UPGRADE, DOWNGRADE, FLAGGED, …; limits are tiers: TIER_1K, …"""

    display_phone_number: Text | None = None
    event: str | None = None
    old_limit: str | None = None
    current_limit: str | None = None
    max_daily_conversations_per_business: str | None = None


class PhoneNumberName(AccountEventDetail):
    """A display name was judged."""

    display_phone_number: Text | None = None
    decision: str | None = None
    requested_verified_name: str | None = None
    rejection_reason: str | None = None


class UsernameUpdate(AccountEventDetail):
    """`status`: approved, deleted, reserved."""

    display_phone_number: Text | None = None
    username: str | None = None
    status: str | None = None


class AccountChange(AccountEventDetail):
    """A WABA left or came back."""

    waba_id: Text | None = None
    phone_number_id: Text | None = None
    reason: str | None = None
    timestamp: Seconds | None = None


class SecurityChange(AccountEventDetail):
    """The two-step code of a number was changed, or somebody asked to."""

    display_phone_number: Text | None = None
    event: str | None = None
    requester: Text | None = None
