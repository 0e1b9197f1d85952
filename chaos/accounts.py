"""The tenants and numbers of a run, as the pipeline and as the sandbox read them."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import orjson
import yaml

SECRET: Final = "chaos-app-secret"  # noqa: S105 (of a sandbox that lives for one run)
TOKEN: Final = "chaos-token"  # noqa: S105
PER_SECOND: Final = 300
"""Messages that a number may send: above its share of the traffic, so that a backlog after an outage is sent at it."""


class Number(NamedTuple):
    """A sending number. `business` is its WABA."""

    tenant: str
    business: str
    id: str


NUMBERS: Final = tuple(
    Number(tenant, f"9900{place}", f"8800{place}{number}")
    for place, tenant in enumerate(("ash", "birch", "cedar"))
    for number in range(2)
)


def write_tenants(path: Path, sandbox_url: str) -> None:
    """The pipeline's tenants file."""
    app = {"id": "chaos-app", "app_secrets": [SECRET], "verify_token": "chaos-verify-token"}
    names = dict.fromkeys(number.tenant for number in NUMBERS)
    tenants = [{"id": name, "accounts": _accounts(name, sandbox_url)} for name in names]
    path.write_text(yaml.safe_dump({"cloud_apps": [app], "tenants": tenants}))


def _accounts(tenant: str, sandbox_url: str) -> list[dict[str, object]]:
    return [
        {
            "provider": "cloud",
            "id": number.id,
            "business_id": number.business,
            "token": TOKEN,
            "base_url": sandbox_url,
            "limits": {"messages_per_second": PER_SECOND},
        }
        for number in NUMBERS
        if number.tenant == tenant
    ]


def write_accounts(path: Path) -> None:
    """The sandbox's accounts file."""
    accounts = [
        {
            "provider": "cloud",
            "id": number.id,
            "token": TOKEN,
            "webhook_secret": SECRET,
            "business_id": number.business,
            "display_phone_number": f"1444{number.id}",
        }
        for number in NUMBERS
    ]
    path.write_bytes(orjson.dumps(accounts))
