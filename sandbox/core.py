"""The state that all providers of a sandbox share: accounts, limits, journals and pending statuses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from aiohttp import web

from pipeline.sandbox.config import SandboxAccount, SandboxConfig
from pipeline.sandbox.errors import NotSupported, SandboxError
from pipeline.sandbox.faults import Faults, FaultsRequest
from pipeline.sandbox.ledger import Ledger, SentMessage, StatusChange, Violation
from pipeline.sandbox.limits import (
    WINDOWS,
    AccountKey,
    ExceededLimit,
    LimitEnforcer,
    LimitKind,
    MessageKind,
    SandboxLimits,
)
from pipeline.sandbox.provider import SandboxProvider, UserMessage
from pipeline.sandbox.status_queue import StatusQueue, Update
from pipeline.sandbox.statuses import StatusStep, failing
from pipeline.sandbox.webhooks import IngressClient, SignedWebhook

_OF_LIMITS: Final = frozenset({"limits", "account_limits", "upgrade"})


class Codes(NamedTuple):
    """A provider's error codes for errors of the core.

    Attributes:
        over: of a message that exceeds a limit without a code of its own in `limits`.
        upgrade: of a number that is being upgraded.
    """

    over: int
    unreachable: int
    limits: Mapping[LimitKind, int] = MappingProxyType({})
    upgrade: int = 503


class MessageRejected(Exception):
    """A message is rejected.

    Attributes:
        http: None for the provider's default status of the code.
        exceeded: the limit that it exceeds; None for a fault.
    """

    def __init__(self, code: int, http: int | None = None, exceeded: ExceededLimit | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.http = http
        self.exceeded = exceeded


class Plan(NamedTuple):
    """A plan or rate policy of an account: its name in violations, e.g. `plan: trial`, and its limits."""

    name: str
    limits: SandboxLimits


class Sandbox:
    """One sandbox. Providers are registered with `add`."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.ledger = Ledger(config.ledger_cap)
        self._plans: dict[AccountKey, Plan] = {}
        self._upgraded_at: dict[str, float] = {}
        self.limiter = LimitEnforcer(
            config.limits, businesses={(each.provider, each.id): each.business_id for each in config.accounts}
        )
        self.faults = Faults(config.limits, config.statuses)
        self.ingress = IngressClient(config.ingress_url, config.status_concurrency + 8)
        self.outbox = StatusQueue(config, self.ingress, self._render, self._note_status)
        self.providers: dict[str, SandboxProvider] = {}
        self._configure_limits()

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
        """Raise `SandboxError` for an unknown account."""
        self._check_accounts(request)
        self.faults.update(request)
        if "upgrade" in request.model_fields_set:
            upgrade = request.upgrade
            self._upgraded_at = {upgrade.account: time.monotonic() + upgrade.seconds} if upgrade else {}
        if request.model_fields_set & _OF_LIMITS:
            self._configure_limits()

    def reset_faults(self) -> None:
        self.faults.reset()
        self._upgraded_at = {}
        self._configure_limits()

    def set_plan(self, account: SandboxAccount, plan: Plan) -> None:
        """Set the plan of an account. Its counters start anew."""
        self._plans[account.provider, account.id] = plan
        self.limiter.set_own(account.provider, account.id, self._own_limits(account))

    def received(self, account: SandboxAccount, message: UserMessage) -> None:
        """Count a user's message, delivered or not. Only the Cloud API counts it in the throughput."""
        if account.provider != "cloud":
            return
        who = (account.provider, account.id, message.sender, time.monotonic())
        if message.preference is not None:
            self.limiter.prefer(*who, marketing=message.preference == "resume", user_id=message.user_id)
        else:
            self.limiter.receive(*who, count=len(message.contents), user_id=message.user_id)

    def admit(
        self, account: SandboxAccount, to: str, command_id: str | None, codes: Codes, kind: MessageKind = "gateway"
    ) -> tuple[StatusStep, ...]:
        """Check a message against limits and faults; return its future statuses. Raise `MessageRejected`."""
        now = time.monotonic()
        if self._upgraded_at.get(account.id, now) > now:
            raise MessageRejected(codes.upgrade)
        exceeded = self.limiter.check(account.provider, account.id, to, now, kind)
        if exceeded is None:
            return self._steps_for(account, to, codes)
        code = codes.limits.get(exceeded.kind, codes.over)
        limit = self._limit_name(account, exceeded.kind)
        row = Violation(account.provider, account.id, to, limit, code, command_id, time.time(), exceeded.kind)
        self.ledger.violations.add(row)
        if exceeded.told_by == "answer":
            raise MessageRejected(code, exceeded=exceeded)
        return failing(self.faults.current.statuses, code)

    def accept(
        self, account: SandboxAccount, sent: SentMessage, steps: tuple[StatusStep, ...], fields: dict[str, Any]
    ) -> None:
        """Record an admitted message. `fields` are the fields of its statuses, in the provider's form."""
        self.ledger.sent.add(sent)
        self.outbox.add(Update(account, sent.message_id, fields, steps, sent.at))

    async def delay(self) -> None:
        """Wait for the latency of a response."""
        latency = self.faults.latency()
        if latency:
            await asyncio.sleep(latency)

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

    def _configure_limits(self) -> None:
        own = {(each.provider, each.id): self._own_limits(each) for each in self.config.accounts}
        self.limiter.configure(self.faults.current.limits, own)

    def _own_limits(self, account: SandboxAccount) -> SandboxLimits:
        """Return an account's limits: of its plan, of the accounts file and of `account_limits`; the last one wins."""
        plan = self._plans.get((account.provider, account.id))
        own = plan.limits.with_given(account.limits) if plan else account.limits
        faults = self.faults.current.account_limits.get(account.id)
        return own.with_given(faults) if faults else own

    def _limit_name(self, account: SandboxAccount, kind: LimitKind) -> str:
        plan = self._plans.get((account.provider, account.id))
        return plan.name if plan and kind in WINDOWS else kind

    def _check_accounts(self, request: FaultsRequest) -> None:
        known = {each.id for each in self.config.accounts}
        unknown = sorted(request.account_limits.keys() - known)
        if unknown:
            raise SandboxError(f"account_limits names {unknown[0]}, which is no account: add it to the accounts file")
        if request.upgrade:
            self.account("cloud", request.upgrade.account)

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

    def _note_status(self, update: Update) -> None:
        self.ledger.change_status(StatusChange(update.message_id, update.step.status, update.step.code))

    def _render(self, updates: Sequence[Update]) -> SignedWebhook:
        return self.provider(updates[0].account.provider).status_webhook(updates)
