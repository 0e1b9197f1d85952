"""Controls: decisions of an operator about what is sent. The messengers obey them while they run.

They are on a compacted topic of one partition, and the last record of a key counts. A key names one kind of decision
about one target, so that two operators who decide about different things overwrite nothing of each other:

    pause/account/<provider>:<id>    nothing is sent for the account
    pause/tenant/<id>                nothing is sent for any account of the tenant
    limit/account/<provider>:<id>    the account has another limit than in the tenants file

What ends a decision is a record as well, so that it is known who ended it.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from pipeline.topics.keys import account_key

TOPIC: Final = "controls"


class ControlKind(StrEnum):
    PAUSE = "pause"
    """Nothing is sent: no message, no read mark, no typing indicator."""
    LIMIT = "limit"
    """Messages per second, in place of those of the tenants file."""


class ControlScope(StrEnum):
    """What a control is about."""

    ACCOUNT = "account"
    TENANT = "tenant"


class ControlKey(NamedTuple):
    """The key of a control: what it decides, and about what.

    Attributes:
        kind: a `ControlKind`, or that of a newer version.
        name: the account's key, or the tenant's id.
    """

    kind: str
    scope: str
    name: str

    def encode(self) -> bytes:
        return "/".join(self).encode()

    @classmethod
    def decode(cls, key: bytes | None) -> Self:
        """Return the key of a record. Raises `ValueError` for anything else."""
        kind, scope, name = (key or b"").decode().split("/", 2)
        return cls(kind, scope, name)


def pause_key(account: str) -> ControlKey:
    """Return the key of an account's pause. `account`: its key, `provider:id`."""
    return ControlKey(ControlKind.PAUSE, ControlScope.ACCOUNT, account)


def tenant_pause_key(tenant_id: str) -> ControlKey:
    return ControlKey(ControlKind.PAUSE, ControlScope.TENANT, tenant_id)


def limit_key(account: str) -> ControlKey:
    """Return the key of an account's limit. `account`: its key, `provider:id`."""
    return ControlKey(ControlKind.LIMIT, ControlScope.ACCOUNT, account)


class OperatorControl(BaseModel):
    """One decision.

    Attributes:
        tenant_id: the tenant that it is about, or that owns the account.
        provider: None together with `account`: it is about all accounts of the tenant.
        active: False: it ends what was decided before.
        messages_per_second: the limit; None for a pause, and where a limit ends.
        until: it ends then by itself; None: it does not.
        by: who decided.
        at: time of the decision.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: ControlKind
    tenant_id: str
    provider: str | None = None
    account: str | None = None
    active: bool = True
    messages_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    until: AwareDatetime | None = None
    reason: str = ""
    by: str = ""
    at: AwareDatetime

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if (self.provider is None) != (self.account is None):
            raise ValueError("an account has a provider and an id")
        if self.kind is ControlKind.LIMIT and (self.account is None or (self.active and not self.messages_per_second)):
            raise ValueError("a limit has an account and its messages per second")
        return self

    @property
    def key(self) -> ControlKey:
        if self.provider is None or self.account is None:
            return ControlKey(self.kind, ControlScope.TENANT, self.tenant_id)
        return ControlKey(self.kind, ControlScope.ACCOUNT, account_key(self.provider, self.account))

    @property
    def ends_at(self) -> float:
        """The unix time at which it ends; infinity if it does not end by itself."""
        return self.until.timestamp() if self.until else math.inf

    def is_active(self, now: float) -> bool:
        """Return True while it holds. `now` is in unix seconds."""
        return self.active and now < self.ends_at
