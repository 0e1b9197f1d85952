"""The policy of a failed attempt: its row in the provider's table of error codes."""

from __future__ import annotations

from pipeline.backoff import RetryPolicy
from pipeline.providers.base import CodePolicies, Provider
from pipeline.providers.code_policy import UNREACHED, CodePolicy


def code_policy(provider: Provider, error_code: int | None) -> CodePolicy:
    """Return the row of a code; `UNREACHED` without a code or for a provider without a table."""
    if error_code is None or not isinstance(provider, CodePolicies):
        return UNREACHED
    return provider.codes.policy(error_code)


def retry_policy(provider: Provider, error_code: int | None) -> RetryPolicy:
    """Return the delays and the number of tries of a retryable attempt."""
    return code_policy(provider, error_code).retry


def slows_account(provider: Provider, error_code: int | None) -> bool:
    """Return True if the whole account has to wait, not only this recipient."""
    return code_policy(provider, error_code).pauses_account
