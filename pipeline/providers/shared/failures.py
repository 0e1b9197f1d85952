"""Make the attempt of a failed call from its row in the table of error codes."""

from __future__ import annotations

from typing import Final

from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.providers.code_policy import Action, CodePolicy

_STATUSES: Final = {
    Action.RETRY: AttemptStatus.RETRYABLE,
    Action.PERMANENT: AttemptStatus.PERMANENT,
    Action.IN_DOUBT: AttemptStatus.UNKNOWN,
}


def failed_attempt(
    policy: CodePolicy,
    error_code: int | None,
    text: str,
    asked: float = 0.0,
    *,
    answered: bool = True,
    transient: bool = False,
) -> SendAttempt:
    """Return the attempt that a row describes.

    Args:
        asked: seconds that the answer asks to wait for.
        answered: False if a proxy answered in the provider's place.
        transient: the answer says that trying again may help, and the row is only that of unknown codes.
    """
    status = AttemptStatus.RETRYABLE if transient else _STATUSES[policy.action]
    delay = max(asked, policy.retry.initial_delay) if status is AttemptStatus.RETRYABLE else asked
    return SendAttempt(status, None, error_code, text, delay, answered)
