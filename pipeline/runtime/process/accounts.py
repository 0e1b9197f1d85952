"""`GET /accounts` of a worker: what it knows of the accounts whose records it has, page by page.

app, tenant, provider   only these
account                 only this account, by its key `provider:id`
limit                   accounts of one page, at most 1,000
cursor                  `next` of the page before
reveal                  1: texts as they are; needs the proof that the caller has the same `PIPELINE_MASK_KEY`

What an account is and what there is to say about it, the app knows (`AccountSource`).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol

from pipeline.masking import masker
from pipeline.runtime.flows.fairness import FairKey
from pipeline.runtime.flows.waiting_metric import Records
from pipeline.runtime.flows.waits import HeldBy, Wait, Waits, by_account
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.runtime.parking.queues import NOTHING_PARKED, ParkedSize
from pipeline.runtime.parking.view import ParkedView
from pipeline.runtime.process.parked import PAGE, page_limit, reveals


class AccountSource(Protocol):
    """The accounts of an app."""

    def fair_keys(self) -> Sequence[FairKey]:
        """Return the fairness keys of all accounts, tenant and account key, in the order of the account keys."""

    def describe(self, account: str) -> Mapping[str, Any]:
        """Return what there is to say about an account, by its key. The values can be written as JSON."""

    def show(self, waiting: Records, top: Sequence[FairKey]) -> None:
        """Set the metrics of what is known of accounts. `top`: those of which most waits have series of their own."""


class AccountsQuery(NamedTuple):
    """What is asked for. `limit` is between 1 and `MAX_PAGE`, `cursor` the account key before the first one."""

    app: str | None = None
    tenant: str | None = None
    provider: str | None = None
    account: str | None = None
    limit: int = PAGE
    cursor: str = ""
    reveal: bool = False

    @classmethod
    def parse(cls, fields: Mapping[str, str], authorization: str) -> AccountsQuery:
        """Parse a request. Raises `ValueError`, and `PermissionError` where texts may not be revealed."""
        reveal, limit = reveals(fields, authorization), page_limit(fields)
        app, tenant, provider, account = map(fields.get, ("app", "tenant", "provider", "account"))
        return cls(app, tenant, provider, account, limit, fields.get("cursor", ""), reveal)

    def matches(self, fair_key: FairKey) -> bool:
        """Return True if an account is asked for, and behind the cursor."""
        tenant, account = fair_key
        return (
            account > self.cursor
            and self.tenant in (None, tenant)
            and self.account in (None, account)
            and self.provider in (None, account.partition(":")[0])
        )


class AppAccounts(NamedTuple):
    """The accounts of one app in this process.

    Attributes:
        parked: the parked records of each flow, by its source.
        waits: returns what the records of each flow wait for, by its source.
        own: numbers of the partitions that belong to this process.
        partitions: the partition count of keyed topics.
    """

    app: str
    source: AccountSource
    parked: Mapping[str, ParkedView]
    waits: Callable[[], Mapping[str, Waits]]
    own: Collection[int]
    partitions: int

    def find(self, query: AccountsQuery) -> Iterator[FairKey]:
        """Return the accounts whose records this process has."""
        for fair_key in self.source.fair_keys():
            if query.matches(fair_key) and partition_of(fair_key[1].encode(), self.partitions) in self.own:
                yield fair_key


_NONE: Final[dict[str, Any]] = {"accounts": [], "next": None}


def list_accounts(apps: Sequence[AppAccounts], query: AccountsQuery) -> dict[str, Any]:
    """Return one page: `accounts`, and `next`, the cursor of the next page; null: there is none.

    An account belongs to one app, so a page is of the first app that has some.
    """
    for app in apps:
        if query.app in (None, app.app):
            found = list(islice(app.find(query), query.limit + 1))
            page, more = found[: query.limit], found[query.limit :]
            parked = {topic: view.by_account(app.own) for topic, view in app.parked.items()}
            waits = {topic: by_account(found) for topic, found in app.waits().items()} if page else {}
            entries = [_describe(app, fair_key, parked, waits, reveal=query.reveal) for fair_key in page]
            return {"accounts": entries, "next": page[-1][1] if more else None}
    return _NONE


def _describe(
    app: AppAccounts,
    fair_key: FairKey,
    parked: Mapping[str, Mapping[FairKey, ParkedSize]],
    waits: Mapping[str, Mapping[FairKey, Mapping[str, Wait]]],
    *,
    reveal: bool,
) -> dict[str, Any]:
    tenant, account = fair_key
    facts = app.source.describe(account)
    return {
        "app": app.app,
        "tenant": tenant,
        "account": account,
        **(facts if reveal else {name: masker().field(name, value) for name, value in facts.items()}),
        "topics": {
            topic: {
                **_waiting(view, fair_key, parked[topic].get(fair_key, NOTHING_PARKED), reveal=reveal),
                **_held(waits.get(topic, {}).get(fair_key, {})),
            }
            for topic, view in app.parked.items()
        },
    }


def _waiting(view: ParkedView, fair_key: FairKey, parked: ParkedSize, *, reveal: bool) -> dict[str, Any]:
    """Return what waits of an account on one topic."""
    held, cause = view.hold(*fair_key)
    return {
        "parked": parked.records,
        "bytes": parked.size,
        "oldest_seconds": None if parked.oldest is None else max(0.0, round(time.time() - parked.oldest / 1000, 1)),
        "held_seconds": None if held is None else round(held, 1),
        "cause": cause if reveal else masker().text(cause),
    }


def _held(waits: Mapping[str, Wait]) -> dict[str, Any]:
    """Return the number of records that nothing holds, and of the others by what holds them, and until when."""
    held = {
        name: {"records": wait.records, "seconds": _seconds_until(wait.ends_at)}
        for name, wait in waits.items()
        if name != HeldBy.NOTHING
    }
    return {"sendable": waits.get(HeldBy.NOTHING, Wait()).records, "held": held}


def _seconds_until(at: float) -> float | None:
    """Return the seconds until a time of the event loop; None: it is unknown."""
    return max(0.0, round(at - asyncio.get_running_loop().time(), 1)) if math.isfinite(at) else None
