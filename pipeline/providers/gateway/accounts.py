"""Find the account of a webhook: the path names the tenant, the body names the session, the secret must fit both."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from pipeline.providers.base import WebhookRequest
from pipeline.providers.gateway.envelope import load_webhook, read_envelope
from pipeline.tenants import Account, Tenants

_DEFAULT_SESSIONS = ("", "default")
"""Names of the session in installations with one session: in older builds and in Wawp's examples."""


def is_authentic_session(provider: str, request: WebhookRequest, tenants: Tenants, holders: Sequence[Account]) -> bool:
    """Return True if an account accepts the request and owns the session in the body.

    Args:
        holders: the accounts of the path's tenant whose secret the request contains.
    """
    found = accepting_accounts(holders, request)
    return bool(found) and _owns_session(provider, found, tenants, session_of(request.body))


def accepting_accounts(holders: Sequence[Account], request: WebhookRequest) -> list[Account]:
    """Return the accounts that allow the caller's address."""
    return [account for account in holders if _is_allowed_address(account, request)]


def resolve_account(provider: str, session: str, request: WebhookRequest, tenants: Tenants) -> str:
    """Return the id of the tenant's account with this session; the session itself without such an account."""
    tenant = request.tenant_id or ""
    found = next(iter(tenants.sessions(tenant, provider, session)), None)
    if found is None and session in _DEFAULT_SESSIONS:
        found = tenants.single_account(tenant, provider)
    return found.id if found else session


def _is_allowed_address(account: Account, request: WebhookRequest) -> bool:
    """Return True if the caller's address is allowed. An account without a list allows every address."""
    if not account.allowed_ips:
        return True
    try:
        address = ip_address(request.remote or "")
    except ValueError:
        return False
    return any(address in network for network in account.allowed_ips)


def _owns_session(provider: str, opened: Sequence[Account], tenants: Tenants, session: str) -> bool:
    """Return False if the session belongs to another account. A session without owner becomes a dead letter later."""
    is_own = any(account.session_name == session for account in opened)
    return is_own or not tenants.has_session(provider, session)


def session_of(body: bytes) -> str:
    """Return the session that a webhook names; empty if it names none or can't be read."""
    webhook = load_webhook(body)
    return read_envelope(webhook).session if webhook else ""
