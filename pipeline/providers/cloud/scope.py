"""Check that a Cloud app may sign webhooks of an account.

An app that lists accounts may sign for these and no others, and no other app may sign for them. If no app lists any,
every app may sign for all accounts, and the body is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from pipeline.errors import InvalidRecord
from pipeline.providers.cloud.envelope import list_parts
from pipeline.providers.cloud.identity import PROVIDER
from pipeline.providers.shared.loading import load_object
from pipeline.tenants import CloudApp, Tenants


class AppScopes(NamedTuple):
    """The accounts of the Cloud apps in the tenants file.

    Attributes:
        listed: ids of numbers and WABAs by the id of the app that lists them.
        bound: all listed ids.
        known: ids of all numbers and WABAs of the tenants.
    """

    listed: Mapping[str, frozenset[str]]
    bound: frozenset[str]
    known: frozenset[str]

    def covers(self, app: CloudApp, account: str, business: str) -> bool:
        """Return True if the app may sign for this number of this WABA (or for the WABA itself).

        The WABA decides about a number that no tenant has, which may be new. A part that names no account is allowed.
        """
        name = account if account in self.known else business or account
        listed = self.listed.get(app.id)
        return not name or (name in listed if listed is not None else name not in self.bound)


def are_accounts_in_scope(signers: Iterable[CloudApp], body: bytes, tenants: Tenants) -> bool:
    """Return True if each account in a webhook belongs to one of the signers. A body without JSON names none."""
    scopes = _scopes(tenants)
    if not scopes.bound:
        return True
    try:
        named = {(change.account, change.business_id) for change, _, _ in list_parts(load_object(body))}
    except InvalidRecord:
        return True
    return all(any(scopes.covers(app, *account) for app in signers) for account in named)


@lru_cache(maxsize=4)
def _scopes(tenants: Tenants) -> AppScopes:
    """Read the scopes. A listed number includes its WABA, and a listed WABA its numbers."""
    numbers = tenants.accounts(PROVIDER)
    pairs = [(account.id, account.business_id or account.id) for account in numbers]
    listed = {
        app.id: frozenset(name for pair in pairs if not set(pair).isdisjoint(app.accounts) for name in pair)
        for app in tenants.cloud_apps
        if app.accounts
    }
    return AppScopes(listed, frozenset().union(*listed.values()), frozenset(name for pair in pairs for name in pair))
