"""No secret, no door: what must be true of the tenants before the ingress listens."""

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
    """Raises `ConfigurationError` when no webhook could ever be authenticated, or when everybody could make one.

    The sample's secrets are published. They open nothing but accounts whose sends go to a sandbox.
    """
    if not tenants.cloud_apps and not _account_secrets(tenants):
        raise ConfigurationError(
            "no webhook can be authenticated: give the tenants file cloud_apps with app_secrets, "
            "or an account with webhook_secrets"
        )
    for owner, secrets, accounts in _doors(tenants):
        if any(secret.get_secret_value().startswith(PUBLISHED) for secret in secrets) and not all(
            map(_is_sandboxed, accounts)
        ):
            raise ConfigurationError(
                f"{owner} has a secret of the sample, which everybody knows: give it one of your own"
            )


def closed_accounts(tenants: Tenants) -> list[str]:
    """The accounts, as `provider:id`, whose webhooks will be answered 401 because nothing authenticates them."""
    return [
        f"{account.provider}:{account.id}"
        for tenant in tenants
        for account in tenant.accounts
        if not (tenants.cloud_apps if account.provider == "cloud" else account.webhook_secrets)
    ]


def _doors(tenants: Tenants) -> Iterator[tuple[str, Iterable[SecretStr], Iterable[Account]]]:
    """Each owner of secrets that let something in, with the accounts for which it does."""
    for app in tenants.cloud_apps:
        yield f"the cloud app {app.id}", (*app.app_secrets, app.verify_token), tenants.accounts("cloud")
    for tenant in tenants:
        yield f"the tenant {tenant.id}", tenant.api_keys, tenant.accounts
        for account in tenant.accounts:
            yield f"the {account.provider} account {account.id}", account.webhook_secrets, (account,)


def _is_sandboxed(account: Account) -> bool:
    """Whether its sends stay on this machine or go to the sandbox of a stack."""
    url = account.base_url or ""
    return url == os.environ.get("PIPELINE_SANDBOX_URL", "-") or urlsplit(url).hostname in _LOOPBACK


def _account_secrets(tenants: Tenants) -> bool:
    return any(account.webhook_secrets for tenant in tenants for account in tenant.accounts)
