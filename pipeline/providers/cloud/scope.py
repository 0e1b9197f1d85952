"""Check that a Cloud app may sign webhooks of an account.

An app that lists accounts may sign for these and no others, and no other app may sign for them. If no app lists any,
every app may sign for all accounts, and the body is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from pipeline.errors import InvalidRecord
from pipeline.providers.cloud.envelope import list_parts
from pipeline.providers.cloud.identity import PROVIDER
from pipeline.providers.shared.loading import load_object
from pipeline.tenants import CloudApp, Tenants

MAX_TRIED_APPS: Final = 8
"""Apps that are all tried for every webhook. Of more, only those are tried that may sign for what the body names."""


class AppScopes(NamedTuple):
    """The accounts of the Cloud apps in the tenants file.

    Attributes:
        listed: ids of numbers and WABAs by the id of the app that lists them.
        bound: all listed ids.
        known: ids of all numbers and WABAs of the tenants.
        listing: the apps that list an id, by that id.
        unlisted: the apps that list nothing.
    """

    listed: Mapping[str, frozenset[str]]
    bound: frozenset[str]
    known: frozenset[str]
    listing: Mapping[str, Sequence[CloudApp]]
    unlisted: Sequence[CloudApp]

    def covers(self, app: CloudApp, account: str, business: str) -> bool:
        """Return True if the app may sign for this number of this WABA (or for the WABA itself).

        A part that names no account is allowed.
        """
        name = self._name(account, business)
        listed = self.listed.get(app.id)
        return not name or (name in listed if listed is not None else name not in self.bound)

    def signers(self, account: str, business: str) -> Sequence[CloudApp]:
        """Return the apps that `covers` allows for an account that is named, by index."""
        return self.listing.get(self._name(account, business), self.unlisted)

    def _name(self, account: str, business: str) -> str:
        """Return the name that decides: the WABA's for a number that no tenant has, which may be new."""
        return account if account in self.known else business or account


def candidate_apps(body: bytes, tenants: Tenants) -> Sequence[CloudApp]:
    """Return the apps whose secrets are tried for a webhook: by index if there are many and the body names accounts.

    At least one is tried, so that the duration does not tell whether a number is a customer's.
    """
    apps = tenants.cloud_apps
    if len(apps) <= MAX_TRIED_APPS or not (scopes := _scopes(tenants)).bound:
        return apps
    named = _named_accounts(body)
    if not named or not all(map(any, named)):
        return apps
    found = {id(app): app for pair in named for app in scopes.signers(*pair)}
    return list(found.values()) or apps[:1]


def are_accounts_in_scope(signers: Iterable[CloudApp], body: bytes, tenants: Tenants) -> bool:
    """Return True if each account in a webhook belongs to one of the signers. A body without JSON names none."""
    scopes = _scopes(tenants)
    if not scopes.bound:
        return True
    return all(any(scopes.covers(app, *pair) for app in signers) for pair in _named_accounts(body))


def _named_accounts(body: bytes) -> set[tuple[str, str]]:
    """Return number and WABA of each part of a webhook, empty where it names none."""
    try:
        return {(change.account, change.business_id) for change, _, _ in list_parts(load_object(body))}
    except InvalidRecord:
        return set()


@lru_cache(maxsize=4)
def _scopes(tenants: Tenants) -> AppScopes:
    """Read the scopes. A listed number includes its WABA, and a listed WABA its numbers."""
    apps = tenants.cloud_apps
    if not any(app.accounts for app in apps):
        return AppScopes({}, frozenset(), frozenset(), {}, apps)
    included: dict[str, set[str]] = {}
    for account in tenants.accounts(PROVIDER):
        pair = {account.id, account.business_id or account.id}
        for name in pair:
            included.setdefault(name, set()).update(pair)
    listed = {app.id: frozenset[str]().union(*map(included.__getitem__, app.accounts)) for app in apps if app.accounts}
    listing: dict[str, list[CloudApp]] = {}
    for app in apps:
        for name in listed.get(app.id, ()):
            listing.setdefault(name, []).append(app)
    unlisted = [app for app in apps if app.id not in listed]
    return AppScopes(listed, frozenset(listing), frozenset(included), listing, unlisted)
