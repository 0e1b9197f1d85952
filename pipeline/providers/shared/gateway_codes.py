"""Which refusals of WAHA and Wawp are worth another try. Their codes are HTTP statuses: neither has others.

A refusal that is not here is permanent: it is about the request, the token or the plan. 500, 502 and 504 with an error
in the body are retried a few times, as Meta's code 131000 is: the gateway answered, and the answer is a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.backoff import RetryPolicy

ACCOUNT_LIMIT: Final = 429
"""The session's own limit, by the minute or by the day: its bucket must slow down."""
NOT_WORKING: Final = 422
"""The session is starting, or waits for somebody to link the phone again."""

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


def is_retryable(code: int) -> bool:
    return code in CODES


def policy(code: int) -> RetryPolicy:
    """How to try again after a retryable refusal."""
    return CODES.get(code, _FEW)
