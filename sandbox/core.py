"""The state that all providers of a sandbox share: accounts, limits, journals and pending statuses."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web

from pipeline.sandbox.config import SandboxAccount, SandboxConfig
from pipeline.sandbox.errors import NotSupported, SandboxError
from pipeline.sandbox.faults import Faults, FaultsRequest
from pipeline.sandbox.ledger import Ledger, SentMessage, Violation
from pipeline.sandbox.limits import LimitEnforcer
from pipeline.sandbox.provider import SandboxProvider
from pipeline.sandbox.status_queue import StatusQueue, Update
from pipeline.sandbox.statuses import StatusStep, failing
from pipeline.sandbox.webhooks import IngressClient, SignedWebhook


class Codes(NamedTuple):
    """A provider's error codes for errors of the core."""

    messages_per_second: int
    pair: int
    unreachable: int


class MessageRejected(Exception):
    """A message is rejected. `http` is None for the provider's default status of the code."""

    def __init__(self, code: int, http: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.http = http


class Sandbox:
    """One sandbox. Providers are registered with `add`."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.ledger = Ledger(config.ledger_cap)
        self.limiter = LimitEnforcer(config.limits)
        self.faults = Faults(config.limits, config.statuses)
        self.ingress = IngressClient(config.ingress_url, config.status_concurrency + 8)
        self.outbox = StatusQueue(config, self.ingress, self._render)
        self.providers: dict[str, SandboxProvider] = {}

    def add(self, create: Callable[[Sandbox], SandboxProvider]) -> None:
        provider = create(self)
        self.providers[provider.name] = provider

    def provider(self, name: str) -> SandboxProvider:
        """Return a provider by name. Raise `NotSupported`, also for an unknown name."""
        if name not in self.providers:
            names = ", ".join(sorted(self.providers))
            raise NotSupported(f"the sandbox does not stand in for {name!r}: use one of {names}")
        return self.providers[name]

    def account(self, provider: str, account: str | None) -> SandboxAccount:
        """Return an account by its id, or the provider's first. Raise `SandboxError`."""
        for known in self.config.accounts:
            if known.provider == provider and account in (None, known.id):
                return known
        raise SandboxError(f"there is no {provider} account {account or ''}".rstrip() + ": add it to the accounts file")

    def set_faults(self, request: FaultsRequest) -> None:
        self.faults.update(request)
        if "limits" in request.model_fields_set:
            self.limiter.configure(self.faults.current.limits)

    def reset_faults(self) -> None:
        self.faults.reset()
        self.limiter.configure(self.faults.current.limits)

    def admit(self, account: SandboxAccount, to: str, command_id: str | None, codes: Codes) -> tuple[StatusStep, ...]:
        """Check a message against limits and faults; return its future statuses. Raise `MessageRejected`."""
        broken = self.limiter.check(account.provider, account.id, to, time.monotonic())
        if broken:
            code = codes.pair if broken == "pair" else codes.messages_per_second
            row = Violation(account.provider, account.id, to, broken, code, command_id, time.time())
            self.ledger.violations.add(row)
            raise MessageRejected(code)
        return self._steps_for(account, to, codes)

    def accept(
        self, account: SandboxAccount, sent: SentMessage, steps: tuple[StatusStep, ...], fields: dict[str, Any]
    ) -> None:
        """Record an admitted message. `fields` are the fields of its statuses, in the provider's form."""
        self.ledger.sent.add(sent)
        self.outbox.add(Update(account, sent.message_id, fields, steps, sent.at))

    async def silence(self, request: web.Request, hold: float) -> None:
        """Let a client wait `hold` seconds for a response, then abort the connection."""
        await self.faults.delay(hold)
        if request.transport:
            request.transport.abort()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Post statuses inside the block."""
        async with self.ingress, self.outbox.running():
            yield

    def _steps_for(self, account: SandboxAccount, to: str, codes: Codes) -> tuple[StatusStep, ...]:
        faults = self.faults.current
        if to in faults.unreachable:
            return failing(faults.statuses, codes.unreachable)
        fault = self.faults.error(account.id, to) if faults.errors else None
        if fault is None:
            return faults.statuses
        if fault.via == "answer":
            raise MessageRejected(fault.code, fault.http)
        return failing(faults.statuses, fault.code)

    def _render(self, updates: Sequence[Update]) -> SignedWebhook:
        return self.provider(updates[0].account.provider).status_webhook(updates)
