"""No secret, no door: what must be true of the tenants before the ingress listens."""

from __future__ import annotations

from pipeline.errors import ConfigurationError
from pipeline.tenants import Tenants


def require_secrets(tenants: Tenants) -> None:
    """Raises `ConfigurationError` when no webhook could ever be authenticated."""
    if not tenants.cloud_apps and not _account_secrets(tenants):
        raise ConfigurationError(
            "no webhook can be authenticated: give the tenants file cloud_apps with app_secrets, "
            "or an account with webhook_secrets"
        )


def closed_accounts(tenants: Tenants) -> list[str]:
    """The accounts, as `provider:id`, whose webhooks will be answered 401 because nothing authenticates them."""
    return [
        f"{account.provider}:{account.id}"
        for tenant in tenants
        for account in tenant.accounts
        if not (tenants.cloud_apps if account.provider == "cloud" else account.webhook_secrets)
    ]


def _account_secrets(tenants: Tenants) -> bool:
    return any(account.webhook_secrets for tenant in tenants for account in tenant.accounts)
