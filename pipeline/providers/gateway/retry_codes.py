"""Retry policies of WAHA's and Wawp's errors. Their codes are HTTP statuses.

An error without an entry is permanent: it is about the request, the token or the plan. 500, 502 and 504 with an error
in the body are retried a few times, like Meta's code 131000: the gateway answered, and the answer is a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.backoff import RetryPolicy

ACCOUNT_LIMIT: Final = 429
"""The session is over its limit per minute or per day: its token bucket must slow down."""
NOT_WORKING: Final = 422
"""The session is starting, or the phone must be linked again."""

_FEW: Final = RetryPolicy(max_attempts=5, initial_delay=2, max_delay=30)

CODES: Final[Mapping[int, RetryPolicy]] = MappingProxyType(
    {
        ACCOUNT_LIMIT: RetryPolicy(max_attempts=None, initial_delay=60, max_delay=3600),
        NOT_WORKING: RetryPolicy(max_attempts=None, initial_delay=5, max_delay=300),
        408: _FEW,
        425: _FEW,
        500: _FEW,
        502: _FEW,
        503: RetryPolicy(max_attempts=None, initial_delay=2, max_delay=60),
        504: _FEW,
    }
)


def is_retryable(error_code: int) -> bool:
    """Return True if the error may pass."""
    return error_code in CODES


def retry_policy(error_code: int) -> RetryPolicy:
    """Return the policy of a retryable error."""
    return CODES.get(error_code, _FEW)


def limits_account(error_code: int) -> bool:
    """Return True if the code means that the whole session is over its limit."""
    return error_code == ACCOUNT_LIMIT
