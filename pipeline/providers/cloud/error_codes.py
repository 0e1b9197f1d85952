"""Retry policies of Meta's error codes.

The waits for 130429 and 131056 are Meta's advice; the others follow from the meaning of the codes. A code without an
entry is permanent, unless Meta marks the error as transient: most errors are about the request, so that repeating it
changes nothing. HTTP statuses do not help, because permanent and transient errors share them.

Codes 1, 2, 131000, 131016 and 135000 are retried a few times. Meta answered, and the answer is a failure. A duplicate
is possible but unlikely, while without a retry the loss is certain.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.backoff import RetryPolicy

NUMBER_LIMIT: Final = 130429
"""The number is over its throughput limit: its token bucket must slow down."""
PAIR_LIMIT: Final = 131056
"""Too many messages from one number to one user. Only this pair must wait."""

_FEW: Final = RetryPolicy(max_attempts=5, initial_delay=1, max_delay=30)
_MINUTES: Final = RetryPolicy(max_attempts=None, initial_delay=60, max_delay=600)
_MEDIA: Final = RetryPolicy(max_attempts=3, initial_delay=2)

CODES: Final[Mapping[int, RetryPolicy]] = MappingProxyType(
    {
        NUMBER_LIMIT: RetryPolicy(max_attempts=None, initial_delay=1, max_delay=60),
        PAIR_LIMIT: RetryPolicy(max_attempts=None, initial_delay=1, factor=4, max_delay=256),
        4: _MINUTES,  # calls of the app
        613: _MINUTES,  # calls of the app
        80007: _MINUTES,  # calls for the WABA
        131057: RetryPolicy(
            max_attempts=None, initial_delay=60, factor=1
        ),  # maintenance, or the number is being upgraded
        132069: RetryPolicy(
            max_attempts=None, initial_delay=360, factor=1, max_delay=360
        ),  # a throttled flow: ten an hour
        1: _FEW,  # unknown
        2: _FEW,  # service
        131000: _FEW,  # unknown
        131016: _FEW,  # service
        135000: _FEW,  # generic
        131052: _MEDIA,  # download of media
        131053: _MEDIA,  # upload of media
    }
)


def is_retryable(error_code: int, is_transient: bool = False) -> bool:
    """Return True if an error may pass. `is_transient` is Meta's flag, which decides about codes without an entry."""
    return error_code in CODES or is_transient


def retry_policy(error_code: int) -> RetryPolicy:
    """Return the policy of a retryable error."""
    return CODES.get(error_code, _FEW)


def limits_account(error_code: int) -> bool:
    """Return True if the code means that the whole number is over its limit."""
    return error_code == NUMBER_LIMIT
