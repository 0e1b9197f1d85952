"""Numbers of several tenants, in a tenants file: whose gateway is where, and who shares a partition with whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import yaml

from bench import webhooks
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.topics.keys import account_key, conversation_key

UNLIMITED: Final[Mapping[str, float | str]] = {"messages_per_second": 1_000_000.0, "pair": "off"}
"""More than can be sent, so that the limiter is passed and never waits."""


@dataclass(frozen=True, slots=True)
class Number:
    """One tenant with one number of the Cloud API.

    Attributes:
        base_url: where its gateway is.
        handler: dotted path of its handler; empty for the default one.
        limits: limits of its account; empty for the provider's.
    """

    tenant: str
    account: str
    base_url: str
    handler: str = ""
    limits: Mapping[str, float | str] = field(default_factory=lambda: UNLIMITED)


def write_tenants(path: Path, numbers: Iterable[Number]) -> Path:
    """Write a tenants file. Return its path."""
    app = {"id": "bench", "app_secrets": [webhooks.APP_SECRET.decode()], "verify_token": webhooks.VERIFY_TOKEN}
    path.write_text(yaml.safe_dump({"cloud_apps": [app], "tenants": [_tenant(number) for number in numbers]}))
    return path


def neighbours(account: str, partitions: int) -> Iterator[str]:
    """Yield other numbers whose commands have the partition of this number's."""
    wanted = _partition(account_key("cloud", account), partitions)
    found = (str(number) for number in count(int(account) + 1))
    return (number for number in found if _partition(account_key("cloud", number), partitions) == wanted)


def contacts_in(partition: int, account: str, partitions: int) -> Iterator[str]:
    """Yield people whose conversations with a number have this partition."""
    people = map(webhooks.contact, count())
    return (each for each in people if _partition(conversation_key("cloud", account, each), partitions) == partition)


def _partition(key: str, partitions: int) -> int:
    return partition_of(key.encode(), partitions)


def _tenant(number: Number) -> dict[str, Any]:
    account = {
        "provider": "cloud",
        "id": number.account,
        "business_id": webhooks.BUSINESS if number.account == webhooks.ACCOUNT else number.account,
        "token": webhooks.TOKEN,
        "base_url": number.base_url,
        "limits": dict(number.limits),
    }
    handler = {"handler": number.handler} if number.handler else {}
    return {"id": number.tenant, "accounts": [account], **handler}
