"""Whose a webhook is: the path names the tenant, the body the session, and the secret has to fit both."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from pipeline.providers.base import WebhookRequest
from pipeline.providers.waha.envelope import envelope, loads
from pipeline.tenants import Account, Tenants

_ANY = ("", "default")
"""What a body calls the session where there is only one: older builds, and the examples of Wawp's pages."""


def authentic(provider: str, request: WebhookRequest, tenants: Tenants, opens: Callable[[Account], bool]) -> bool:
    """Whether an account of the path's tenant lets the request in, and the session in the body is that account's.

    Args:
        opens: whether the request carries a secret of this account. Asked of every account, so time tells nothing.
    """
    found = opened(provider, request, tenants, opens)
    return bool(found) and _may_speak(found, tenants.accounts(provider), _session(request.body))


def opened(provider: str, request: WebhookRequest, tenants: Tenants, opens: Callable[[Account], bool]) -> list[Account]:
    """The accounts of the path's tenant that let the request in, whatever its body says."""
    candidates = tenants.candidates(request.tenant_id, provider)
    return [account for account in candidates if opens(account) and _comes_from(account, request)]


def account_of(provider: str, session: str, request: WebhookRequest, tenants: Tenants) -> str:
    """The id of the tenant's account that a session is; the session itself where the tenant has no such account."""
    own = _own(provider, request, tenants)
    named = next((account.id for account in own if account.session_name == session), None)
    return named or (own[0].id if len(own) == 1 and session in _ANY else session)


def _own(provider: str, request: WebhookRequest, tenants: Tenants) -> list[Account]:
    tenant = tenants.get(request.tenant_id) if request.tenant_id else None
    return [account for account in tenant.accounts if account.provider == provider] if tenant else []


def _comes_from(account: Account, request: WebhookRequest) -> bool:
    """Whether the caller's address is allowed; any is, where the account has no list."""
    if not account.allowed_ips:
        return True
    try:
        address = ip_address(request.remote or "")
    except ValueError:
        return False
    return any(address in network for network in account.allowed_ips)


def _may_speak(opened: list[Account], everybody: list[Account], session: str) -> bool:
    """One account's secret must not bring events of another; a session that nobody owns is left to the dead letters."""
    named = [account for account in everybody if account.session_name == session]
    return not named or any(account in opened for account in named)


def _session(body: bytes) -> str:
    webhook = loads(body)
    return envelope(webhook).session if webhook else ""
