"""Finds the accounts of the tenants file with their controls, and asks the workers about one: `GET /accounts`."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from aiohttp import ClientSession

from pipeline.lag.workers import NoAnswer, ask_each, read, without_password
from pipeline.masking import masker
from pipeline.messenger.controls import Controls
from pipeline.runtime.kafka import compacted
from pipeline.runtime.kafka.partition_counts import require_topics
from pipeline.tenants import Account, Tenant, Tenants
from pipeline.topics.controls import TOPIC, OperatorControl, limit_key, pause_key, tenant_pause_key
from pipeline.topics.keys import account_key
from pipeline.topics.records import ConsumedRecord


async def load_controls(bootstrap: str, tenants: Tenants) -> Controls:
    """Return all controls. Raises `UsageError` without their topic, and `Unavailable`."""
    controls = Controls(tenants)

    def apply(record: ConsumedRecord) -> None:
        with suppress(ValueError):  # not a control's key
            controls.apply(record, time.time())

    await require_topics(bootstrap, [TOPIC], 1)
    await compacted.read(bootstrap, TOPIC, apply)
    return controls


class AccountState(NamedTuple):
    """An account with the controls that are in force.

    Attributes:
        rate: messages that it may send per second.
        pause: its own pause.
        tenant_pause: the pause of its tenant.
        unreadable: True if a control needs a newer version. It is paused then.
    """

    tenant_id: str
    account: Account
    rate: float
    pause: OperatorControl | None
    tenant_pause: OperatorControl | None
    limit: OperatorControl | None
    unreadable: bool

    @property
    def key(self) -> str:
        return account_key(self.account.provider, self.account.id)

    @property
    def paused(self) -> bool:
        return self.pause is not None or self.tenant_pause is not None or self.unreadable


def account_state(controls: Controls, tenant_id: str, account: Account) -> AccountState:
    """Return the state of an account now."""
    now, key = time.time(), account_key(account.provider, account.id)
    return AccountState(
        tenant_id,
        account,
        controls.rate(account),
        controls.find(pause_key(key), now),
        controls.find(tenant_pause_key(tenant_id), now),
        controls.find(limit_key(key), now),
        controls.is_unreadable(key, tenant_id),
    )


class AccountFilter(NamedTuple):
    """Which accounts are asked for; None: any."""

    tenant: str | None = None
    provider: str | None = None
    paused: bool = False


def find_accounts(tenants: Tenants, controls: Controls, wanted: AccountFilter) -> Iterator[AccountState]:
    """Yield the accounts, as they are in the tenants file."""
    for tenant in tenants:
        for account in tenant.accounts if wanted.tenant in (None, tenant.id) else ():
            if wanted.provider not in (None, account.provider):
                continue
            state = account_state(controls, tenant.id, account)
            if state.paused or not wanted.paused:
                yield state


def named_account(tenants: Tenants, name: str) -> tuple[Tenant, Account] | None:
    """Return the account with a key, `provider:id`, and its tenant."""
    provider, _, account_id = name.partition(":")
    account, tenant = tenants.account(provider, account_id), tenants.owner(provider, account_id)
    return (tenant, account) if account is not None and tenant is not None else None


def similar_names(tenants: Tenants, account_id: str) -> list[str]:
    """Return the keys of accounts with an id, at whichever provider."""
    keys = (account_key(each.provider, each.id) for tenant in tenants for each in tenant.accounts)
    return [key for key in keys if key.partition(":")[2] == account_id]


@dataclass(slots=True)
class WorkerFacts:
    """The knowledge of the workers that were asked, of one account.

    Attributes:
        facts: of each worker that has it, by the worker's address. While its partition moves, two may.
        silent: addresses without a usable answer, each with the reason.
    """

    facts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)


async def ask_about(urls: Collection[str], account: str, *, reveal: bool = False) -> WorkerFacts:
    """Ask all workers about an account, by its key. Raises nothing."""
    found = WorkerFacts()
    headers = {"Authorization": f"Bearer {masker().proof()}"} if reveal else {}
    query = {"account": account, **({"reveal": "1"} if reveal else {})}

    async def ask(session: ClientSession, url: str) -> None:
        answer = orjson.loads(await read(session, f"{url}/accounts", 403, params=query, headers=headers))
        if "error" in answer:
            raise NoAnswer(str(answer["error"]))
        for facts in answer["accounts"]:
            found.facts[without_password(url)] = dict(facts.items())

    found.silent = await ask_each(urls, ask)
    return found
