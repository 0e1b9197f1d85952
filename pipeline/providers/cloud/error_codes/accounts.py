"""Codes about the account: its token, permissions, restrictions, payment and registration. They ask for a person."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.providers.cloud.error_codes.sources import META
from pipeline.providers.code_policy import CodePolicy, PauseScope, pause_of

_TOKEN_PAUSE: Final = pause_of(300)
_RESTRICTION_PAUSE: Final = pause_of(600)
_NEW_TOKEN: Final = "put a new token into the tenants file, and restart the messengers"  # noqa: S105 (advice)
_PERMISSIONS: Final = "give the app and its system user the permission; the access token debugger shows what is missing"


def _stops_account(meaning: str, advice: str) -> CodePolicy:
    """Return the row of a restriction, which fails whatever the account sends."""
    return CodePolicy(
        meaning, advice, META, retry=_RESTRICTION_PAUSE, pauses=PauseScope.ACCOUNT, alerts=True, by_status=True
    )


def _token(meaning: str) -> CodePolicy:
    return CodePolicy(meaning, _NEW_TOKEN, META, retry=_TOKEN_PAUSE, pauses=PauseScope.ACCOUNT, alerts=True)


def _alerting(meaning: str, advice: str, *, by_status: bool = False) -> CodePolicy:
    return CodePolicy(meaning, advice, META, alerts=True, by_status=by_status)


_PAYMENT: Final = _alerting(
    "the payment method is missing or was declined, so paid messages fail",
    "correct the payment in the WhatsApp Manager",
    by_status=True,
)
_API_PERMISSION: Final = _alerting("the app lacks a permission for this call", _PERMISSIONS)

ACCOUNTS: Final[Mapping[int, CodePolicy]] = MappingProxyType(
    {
        0: _token("the access token is not accepted"),
        190: _token("the access token has expired or was revoked"),
        3: _alerting("the app lacks a capability or a permission for this call", _PERMISSIONS),
        10: _alerting("the permission for this call is missing or was removed", _PERMISSIONS),
        **dict.fromkeys(range(200, 300), _API_PERMISSION),
        131005: _alerting("access is denied: the permission is missing or was removed", _PERMISSIONS),
        33: _alerting("the business phone number was deleted", "correct the account's `id` in the tenants file"),
        368: _stops_account(
            "the account is blocked for a time, because it violated a policy",
            "see the violation in the Business Support Home, and appeal",
        ),
        131031: _stops_account(
            "the account is locked: it violated a policy, or its data could not be verified",
            "see the account's status in the WhatsApp Manager, and appeal",
        ),
        130497: _alerting(
            "the account may not write to people of this country",
            "leave this country out, or apply for an exception",
            by_status=True,
        ),
        131042: _PAYMENT,
        131044: _PAYMENT,
        131045: _alerting("the number's certificate is wrong", "register the number again", by_status=True),
        131037: _alerting("the display name of the number is not approved", "have the display name approved"),
        131063: _alerting(
            "marketing templates are switched off for the Cloud API on this number",
            "stop the campaign, or send it with `template_type` marketing",
            by_status=True,
        ),
        133010: _stops_account("the number is not registered for the Cloud API", "register the number, and verify it"),
    }
)
