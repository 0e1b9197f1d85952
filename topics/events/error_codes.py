"""Which of the providers' error codes are worth a retry, and which ask for a person.

Source: the Cloud API's error codes and the waiting advice that Meta documents for 130429, 131056 and 131049.
A code that is in neither table is permanent and harmless: one message could not be sent.
"""

from __future__ import annotations

from typing import Final

RETRYABLE: Final = frozenset(
    {
        1,  # unknown error of the API: the outcome may be unknown
        2,  # service temporarily down: the same
        4,  # too many calls by the app
        613,  # too many calls by the app
        80007,  # too many calls for the WABA
        130429,  # throughput of the number
        131000,  # something went wrong
        131016,  # service unavailable
        131052,  # the user's media could not be downloaded
        131053,  # our media could not be uploaded
        131056,  # too many messages for one pair
        131057,  # the account is in maintenance or being upgraded
        131208,  # too many requests about groups
        132069,  # the flow is throttled
        135000,  # generic error
        2494100,  # the number is in maintenance
        429,
        500,
        502,
        503,
        504,
    }
)
"""Codes for which trying again later, unchanged, may help. 131049 is missing: it requires a pause of a day."""

RATE_LIMITS: Final = frozenset({4, 429, 613, 80007, 130429, 131048, 131056, 131208, 132069, 133016})
"""Codes of rate limits."""

CRITICAL: Final = frozenset(
    {
        0,  # authentication failed
        3,  # the token lacks the capability
        10,  # permission denied
        33,  # the number was deleted
        190,  # the token has expired
        368,  # the account is temporarily blocked
        130497,  # the account is restricted from a country
        131005,  # access denied
        131031,  # the account is locked
        131037,  # the display name is not approved
        131042,  # payment
        131044,  # payment
        131045,  # certificate
        131048,  # spam limit
        131063,  # marketing is switched off for the Cloud API
        131064,  # messaging limit after template violations
        133010,  # the number is not registered
        133016,  # too many registrations
    }
)
"""Codes for which nothing is sent until somebody acts: a token, a payment, a restriction."""


def is_retryable(code: int) -> bool:
    """Return True if trying again later, unchanged, may help."""
    return code in RETRYABLE


def is_critical(code: int) -> bool:
    """Also the permissions of the Graph API (200-299) and, as handlers expect, server errors (500-599)."""
    return code in CRITICAL or 200 <= code <= 299 or 500 <= code <= 599
