"""Which of Meta's error codes are worth another try, and after how long.

The waits for 130429 and 131056 are Meta's advice; the rest follows from what the codes mean. A code that is not
here is permanent, unless Meta marks the error as transient: most are about the request, and asking again changes
nothing. HTTP statuses say little, since permanent and passing errors share them.

Codes 1, 2, 131000, 131016 and 135000 are retried, a few times. Meta answered, and the answer is a failure; a send that
went out none the less is possible, not likely, while a reply that is never sent is certain otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.backoff import RetryPolicy

NUMBER_LIMIT: Final = 130429
"""The number's throughput: its bucket must slow down (`limiter.Limiter.slow_down`)."""
PAIR_LIMIT: Final = 131056
"""Too many messages from one number to one user: only that pair must wait."""

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


def is_retryable(code: int, is_transient: bool = False) -> bool:
    """Whether an error of the Graph API may pass. `is_transient` is Meta's own word for codes that are not here."""
    return code in CODES or is_transient


def policy(code: int) -> RetryPolicy:
    """How to try again after a retryable error."""
    return CODES.get(code, _FEW)
