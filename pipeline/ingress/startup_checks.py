"""Checks of the tenants before the ingress listens: without a secret it does not start."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from pipeline.errors import ConfigurationError
from pipeline.tenants import PUBLISHED, Account, Tenants

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def require_secrets(tenants: Tenants) -> None:
    """Raise `ConfigurationError` if no webhook can be authenticated, or if anybody could forge one.

    The secrets of the sample file are public. They are allowed only for accounts that send to a sandbox.
    """
    if not tenants.cloud_apps and not _account_secrets(tenants):
        raise ConfigurationError(
            "no webhook can be authenticated: give the tenants file cloud_apps with app_secrets, "
            "or an account with webhook_secrets"
        )
    for owner, secrets, accounts in _secrets_and_accounts(tenants):
        if any(secret.get_secret_value().startswith(PUBLISHED) for secret in secrets) and not all(
            map(_is_sandboxed, accounts)
        ):
            raise ConfigurationError(
                f"{owner} has a secret of the sample, which everybody knows: give it one of your own"
            )


def unauthenticated_accounts(tenants: Tenants) -> list[str]:
    """Return the accounts (`provider:id`) that have no webhook secret, so that all their webhooks get 401."""
    return [
        f"{account.provider}:{account.id}"
        for tenant in tenants
        for account in tenant.accounts
        if not (tenants.cloud_apps if account.provider == "cloud" else account.webhook_secrets)
    ]


def _secrets_and_accounts(tenants: Tenants) -> Iterator[tuple[str, Iterable[SecretStr], Iterable[Account]]]:
    """Yield each owner of secrets, its secrets, and the accounts that they authenticate."""
    numbers = tenants.accounts("cloud")
    for app in tenants.cloud_apps:
        yield f"the cloud app {app.id}", (*app.app_secrets, app.verify_token), numbers
    for tenant in tenants:
        yield f"the tenant {tenant.id}", tenant.api_keys, tenant.accounts
        for account in tenant.accounts:
            yield f"the {account.provider} account {account.id}", account.webhook_secrets, (account,)


def _is_sandboxed(account: Account) -> bool:
    """Return True if the account sends to this machine or to the sandbox of a stack."""
    url = account.base_url or ""
    return url == os.environ.get("PIPELINE_SANDBOX_URL", "-") or urlsplit(url).hostname in _LOOPBACK


def _account_secrets(tenants: Tenants) -> bool:
    return any(account.webhook_secrets for tenant in tenants for account in tenant.accounts)
