"""Whose numbers a Cloud app may speak for.

An app that lists accounts speaks for those and no others, and no other app speaks for them. Where no app lists any,
each speaks for all: nothing is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from pipeline.errors import InvalidRecord
from pipeline.providers.cloud.envelope import parts
from pipeline.providers.cloud.identity import PROVIDER
from pipeline.providers.loading import load
from pipeline.tenants import CloudApp, Tenants


class Scopes(NamedTuple):
    """What the tenants file says.

    Attributes:
        listed: the ids of numbers and WABAs of each app that lists any, by the app's id.
        bound: all of these together.
        known: every id of a number or WABA that a tenant has.
    """

    listed: Mapping[str, frozenset[str]]
    bound: frozenset[str]
    known: frozenset[str]

    def covers(self, app: CloudApp, account: str, business: str) -> bool:
        """Whether the app may speak for a number (or the WABA itself, where `account` is that) of a WABA.

        A number that no tenant has is judged by its WABA: it may be new. What names nobody becomes nobody's event.
        """
        name = account if account in self.known else business or account
        listed = self.listed.get(app.id)
        return not name or (name in listed if listed is not None else name not in self.bound)


def may_speak(signers: Iterable[CloudApp], body: bytes, tenants: Tenants) -> bool:
    """Whether every account that a webhook names is one of an app that signed it. What is no JSON names none."""
    scopes = _scopes(tenants)
    if not scopes.bound:
        return True
    try:
        named = {(change.account, change.business_id) for change, _, _ in parts(load(body))}
    except InvalidRecord:
        return True
    return all(any(scopes.covers(app, *account) for app in signers) for account in named)


@lru_cache(maxsize=4)
def _scopes(tenants: Tenants) -> Scopes:
    """A listed number brings its WABA, which some webhooks name alone; a listed WABA brings its numbers."""
    numbers = tenants.accounts(PROVIDER)
    pairs = [(account.id, account.business_id or account.id) for account in numbers]
    listed = {
        app.id: frozenset(name for pair in pairs if not set(pair).isdisjoint(app.accounts) for name in pair)
        for app in tenants.cloud_apps
        if app.accounts
    }
    return Scopes(listed, frozenset().union(*listed.values()), frozenset(name for pair in pairs for name in pair))
