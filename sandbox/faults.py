"""Faults that the sandbox simulates: errors, latency, missing responses, and other limits."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from pipeline.sandbox.limits import SandboxLimits
from pipeline.sandbox.statuses import StatusStep


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Aimed(_Model):
    """A fault of some messages: `times` of them (None: all), optionally of one account or recipient."""

    times: int | None = Field(1, ge=0)
    account: str | None = None
    to: str | None = None

    def hits(self, account: str, to: str) -> bool:
        return (
            self.times != 0 and (self.account is None or self.account == account) and (self.to is None or self.to == to)
        )


Aimed = TypeVar("Aimed", bound=_Aimed)


class ErrorFault(_Aimed):
    """A message that is rejected with the provider's `code`.

    Attributes:
        http: HTTP status of the response; None for the provider's default of this code.
        via: `answer` rejects at once; `status` accepts and then reports `failed`.
    """

    code: int
    http: int | None = Field(None, ge=400, le=599)
    via: Literal["answer", "status"] = "answer"


class SilenceFault(_Aimed):
    """A message that is accepted without a response; the connection is aborted after `hold` seconds."""

    hold: float = Field(30.0, ge=0)


class UpgradeFault(_Model):
    """The upgrade of a Cloud API number: 131057 for `seconds`, and from then on another throughput."""

    account: str
    seconds: float = Field(60.0, ge=0)
    messages_per_second: float = Field(1000.0, gt=0)


class FaultsRequest(_Model):
    """The body of `POST /_sandbox/faults`. Given fields replace the present ones; the others are kept.

    Attributes:
        latency: seconds until the response; a message is accepted before.
        latency_max: the latency of each response is a random one between `latency` and this; None for `latency`.
        unreachable: recipients whose messages are accepted and then fail with 131026.
        upgrade: the number that is being upgraded.
        limits: given limits replace the present ones; the counters of all limits start anew.
        account_limits: the same for single accounts, by id. They win over `limits`.
        statuses: statuses of messages that are accepted from now on.
    """

    latency: float = Field(0.0, ge=0)
    latency_max: float | None = Field(None, ge=0)
    errors: tuple[ErrorFault, ...] = ()
    timeout_after_accept: SilenceFault | None = None
    unreachable: frozenset[str] = frozenset()
    upgrade: UpgradeFault | None = None
    limits: SandboxLimits = SandboxLimits()
    account_limits: dict[str, SandboxLimits] = Field(default_factory=dict)
    statuses: tuple[StatusStep, ...] = ()

    @field_serializer("account_limits")
    def _only_given(self, limits: dict[str, SandboxLimits]) -> dict[str, Any]:
        return {account: given.model_dump(mode="json", exclude_unset=True) for account, given in limits.items()}


class Faults:
    """The present faults. A sandbox starts without any, with its configured limits and statuses."""

    def __init__(self, limits: SandboxLimits, statuses: tuple[StatusStep, ...]) -> None:
        self._initial = FaultsRequest(limits=limits, statuses=statuses)
        self._released = asyncio.Event()
        self.current = self._initial

    def update(self, request: FaultsRequest) -> None:
        named: dict[str, Any] = {name: getattr(request, name) for name in request.model_fields_set}
        if "limits" in named:
            named["limits"] = self.current.limits.with_given(request.limits)
        named["account_limits"] = self._account_limits(request)
        self.current = self.current.model_copy(update=named)

    def reset(self) -> None:
        """Remove all faults; abort delayed responses."""
        self.current = self._initial
        self.release()
        self._released = asyncio.Event()

    def release(self) -> None:
        self._released.set()

    def error(self, account: str, to: str) -> ErrorFault | None:
        """Return the error fault of this message, if any, and use one of its times."""
        for position, fault in enumerate(self.current.errors):
            if fault.hits(account, to):
                self._use(position)
                return fault
        return None

    def silence(self, account: str, to: str) -> SilenceFault | None:
        """Return the silence fault of this accepted message, if any, and use one of its times."""
        fault = self.current.timeout_after_accept
        if fault is None or not fault.hits(account, to):
            return None
        self.current = self.current.model_copy(update={"timeout_after_accept": _once_less(fault)})
        return fault

    async def delay(self, seconds: float) -> None:
        """Wait `seconds`, or until the faults are reset."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._released.wait(), seconds)

    def latency(self) -> float:
        """Return the seconds until a response."""
        least, most = self.current.latency, self.current.latency_max
        return least if most is None else random.uniform(least, max(least, most))  # noqa: S311 (not a secret)

    def _account_limits(self, request: FaultsRequest) -> dict[str, SandboxLimits]:
        given = dict(request.account_limits)
        if request.upgrade:
            upgraded = SandboxLimits(messages_per_second=request.upgrade.messages_per_second)
            given[request.upgrade.account] = given.get(request.upgrade.account, SandboxLimits()).with_given(upgraded)
        present = self.current.account_limits
        return present | {account: present.get(account, limits).with_given(limits) for account, limits in given.items()}

    def _use(self, position: int) -> None:
        errors = list(self.current.errors)
        errors[position] = _once_less(errors[position])
        self.current = self.current.model_copy(update={"errors": tuple(errors)})


def _once_less(fault: Aimed) -> Aimed:
    return fault if fault.times is None else fault.model_copy(update={"times": fault.times - 1})
