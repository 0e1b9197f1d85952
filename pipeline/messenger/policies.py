"""The retry policy of a retryable attempt. The provider decides by its error code."""

from __future__ import annotations

from pipeline.backoff import TRANSPORT, RetryPolicy
from pipeline.providers.base import Provider, RetryRules


def retry_policy(provider: Provider, error_code: int | None) -> RetryPolicy:
    """Return the provider's policy for the code; `TRANSPORT` without a code or for a provider without `RetryRules`."""
    if error_code is None or not isinstance(provider, RetryRules):
        return TRANSPORT
    return provider.retry_policy(error_code)


def slows_account(provider: Provider, error_code: int | None) -> bool:
    """Return True if the code means that the whole account is over its limit, not only this recipient."""
    return error_code is not None and isinstance(provider, RetryRules) and provider.limits_account(error_code)
