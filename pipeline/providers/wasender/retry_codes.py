"""Retry policies of Wasender's errors. Their codes are HTTP statuses."""

from __future__ import annotations

from typing import Final

from pipeline.backoff import TRANSPORT, RetryPolicy

RATE_LIMITED: Final = 429
"""The session's limit: of its plan, of the day, or one message in 5 s under account protection."""

_LIMIT_POLICY: Final = RetryPolicy(max_attempts=None, initial_delay=1, max_delay=60)
"""Wasender answers every 429 with the time to wait, so that waiting is sure to help."""


def retry_policy(error_code: int) -> RetryPolicy:
    """Return the policy of a retryable attempt with this code."""
    return _LIMIT_POLICY if error_code == RATE_LIMITED else TRANSPORT


def limits_account(error_code: int) -> bool:
    """Return True if the code means that the whole session is over its limit."""
    return error_code == RATE_LIMITED
