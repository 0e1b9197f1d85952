"""Find the account of a webhook: the path names the tenant, the body names the session, the secret must fit both."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from pipeline.providers.base import WebhookRequest
from pipeline.providers.gateway.envelope import load_webhook, read_envelope
from pipeline.tenants import Account, Tenants

_DEFAULT_SESSIONS = ("", "default")
"""Names of the session in installations with one session: in older builds and in Wawp's examples."""


def is_authentic_session(
    provider: str, request: WebhookRequest, tenants: Tenants, opens: Callable[[Account], bool]
) -> bool:
    """Return True if an account of the path's tenant accepts the request and owns the session in the body.

    Args:
        opens: returns True if the request contains a secret of the account. It is called for every account, so that the
            duration is constant.
    """
    found = authenticated_accounts(provider, request, tenants, opens)
    return bool(found) and _owns_session(found, tenants.accounts(provider), _session(request.body))


def authenticated_accounts(
    provider: str, request: WebhookRequest, tenants: Tenants, opens: Callable[[Account], bool]
) -> list[Account]:
    """Return the accounts of the path's tenant that accept the request, whatever its body is."""
    candidates = tenants.candidates(request.tenant_id, provider)
    return [account for account in candidates if opens(account) and _is_allowed_address(account, request)]


def resolve_account(provider: str, session: str, request: WebhookRequest, tenants: Tenants) -> str:
    """Return the id of the tenant's account with this session; the session itself without such an account."""
    own = _tenant_accounts(provider, request, tenants)
    named = next((account.id for account in own if account.session_name == session), None)
    return named or (own[0].id if len(own) == 1 and session in _DEFAULT_SESSIONS else session)


def _tenant_accounts(provider: str, request: WebhookRequest, tenants: Tenants) -> list[Account]:
    tenant = tenants.get(request.tenant_id) if request.tenant_id else None
    return [account for account in tenant.accounts if account.provider == provider] if tenant else []


def _is_allowed_address(account: Account, request: WebhookRequest) -> bool:
    """Return True if the caller's address is allowed. An account without a list allows every address."""
    if not account.allowed_ips:
        return True
    try:
        address = ip_address(request.remote or "")
    except ValueError:
        return False
    return any(address in network for network in account.allowed_ips)


def _owns_session(opened: list[Account], everybody: list[Account], session: str) -> bool:
    """Return False if the session belongs to another account. A session without owner becomes a dead letter later."""
    named = [account for account in everybody if account.session_name == session]
    return not named or any(account in opened for account in named)


def _session(body: bytes) -> str:
    webhook = load_webhook(body)
    return read_envelope(webhook).session if webhook else ""
