"""Controls for tests, as records of their topic."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord
from pipeline.topics.codec import encode_control
from pipeline.topics.controls import ControlKind, OperatorControl

START = 1_800_000_000.0
"""A time in unix seconds."""


def at(seconds: float) -> datetime:
    """A time so many seconds after the start."""
    return datetime.fromtimestamp(START + seconds, UTC)


def pause(account: str | None = None, tenant: str = "acme", **fields: Any) -> OperatorControl:
    """The pause of a Cloud API account, or of a tenant."""
    who = {"provider": "cloud", "account": account} if account is not None else {}
    return OperatorControl(kind=ControlKind.PAUSE, tenant_id=tenant, **{"at": at(0), **who, **fields})


def limit(account: str, rate: float | None, tenant: str = "acme", **fields: Any) -> OperatorControl:
    """The limit of a Cloud API account; None ends it."""
    return OperatorControl(
        kind=ControlKind.LIMIT,
        tenant_id=tenant,
        provider="cloud",
        account=account,
        messages_per_second=rate,
        **{"active": rate is not None, "at": at(0), **fields},
    )


def record(control: OperatorControl) -> TestRecord:
    return TestRecord.of(encode_control(control))


def tenants(rate: float = 80.0, **accounts: list[str]) -> Tenants:
    """Tenants by id, with Cloud API accounts of one rate."""
    limits = {"messages_per_second": rate}

    def account(name: str) -> dict[str, object]:
        return {"provider": "cloud", "id": name, "token": "t", "base_url": f"http://{name}.example", "limits": limits}

    found = [{"id": name, "accounts": [account(each) for each in ids]} for name, ids in accounts.items()]
    return Tenants(TenantsFile.model_validate({"tenants": found}))
