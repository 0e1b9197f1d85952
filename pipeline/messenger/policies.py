"""The retry policy of a retryable delivery, by provider and error code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pipeline.backoff import TRANSPORT, RetryPolicy
from pipeline.providers.cloud import error_codes
from pipeline.providers.shared import gateway_codes

_TOO_MANY: Final = 429


def _wasender(status: int) -> RetryPolicy:
    """Wasender says with every refusal for its limits how long to wait."""
    return RetryPolicy(max_attempts=None, initial_delay=1, max_delay=60) if status == _TOO_MANY else TRANSPORT


_BY_PROVIDER: Final[Mapping[str, Callable[[int], RetryPolicy]]] = {
    "cloud": error_codes.policy,
    "wasender": _wasender,
    "waha": gateway_codes.policy,
    "wawp": gateway_codes.policy,
}


_ACCOUNT_LIMITS: Final[Mapping[str, frozenset[int]]] = {
    "cloud": frozenset({error_codes.NUMBER_LIMIT}),
    "wasender": frozenset({_TOO_MANY}),
    "waha": frozenset({gateway_codes.ACCOUNT_LIMIT}),
    "wawp": frozenset({gateway_codes.ACCOUNT_LIMIT}),
}


def slows_account(provider: str, code: int | None) -> bool:
    """Whether a code says that the whole account is over its limit, and not only this recipient."""
    return code in _ACCOUNT_LIMITS.get(provider, frozenset())


def retry_policy(provider: str, code: int | None) -> RetryPolicy:
    """`TRANSPORT` where there is no code, or a provider has no table of its own."""
    table = _BY_PROVIDER.get(provider)
    return table(code) if table and code is not None else TRANSPORT
