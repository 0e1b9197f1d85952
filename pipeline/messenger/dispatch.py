"""Calls to providers: a command waits for its account's permit and goes to its provider."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager

from aiohttp import ClientSession, TraceConfig, TraceRequestStartParams
from opentelemetry.trace import SpanKind

from pipeline import tracing
from pipeline.backoff import RetryPolicy, next_wait
from pipeline.errors import UnknownTenant, UnsupportedCommand
from pipeline.messenger import Limiter, retry_policy, slows_account
from pipeline.messenger.connections import WriteGuard, guarded_by, open_session
from pipeline.metrics import DELIVERIES, DELIVERY_SECONDS
from pipeline.providers.base import AttemptStatus, Provider, SendAttempt
from pipeline.tenants import Account, Tenants
from pipeline.topics.commands import Command, CommandKind

Sleep = Callable[[float], Awaitable[None]]


class Dispatcher:
    """Calls providers and keeps each account within its limits.

    It must be the only one that calls for its accounts. The commands of an account are on one partition, so that one
    worker has all of them.
    """

    def __init__(self, providers: Mapping[str, Provider], tenants: Tenants, connections: int) -> None:
        self._providers = providers
        self._tenants = tenants
        self._limiter = Limiter()
        self._session = open_session(connections, _trace_config())

    async def close(self) -> None:
        await self._session.close()

    def reset_limits(self) -> None:
        """Empty all token buckets, because another worker may have sent for the accounts."""
        self._limiter.clear()

    async def wait_for_permit(self, command: Command, wait: Sleep, within: float = math.inf) -> bool:
        """Return True when the account may send; False at once, and spend no permit, if it may not within `within` s.

        A read mark is no message, so it needs no permit.
        """
        if command.kind is CommandKind.READ:
            return True
        delay = self._limiter.reserve(self._account(command), time.monotonic(), within)
        if 0 < delay <= within:
            await wait(delay)
        return delay <= within

    async def attempt(self, command: Command, guard: WriteGuard | None = None) -> SendAttempt:
        """Call the provider once. A kind that the provider has no endpoint for is a permanent failure.

        Raises `CallWithheld` if the guard does not allow a request to be written.
        """
        account = self._account(command)
        try:
            with DELIVERY_SECONDS.labels(command.provider).time(), _span(command), guarded_by(guard or WriteGuard()):
                attempt = await self._providers[command.provider].deliver(command, account, self._session)
        except UnsupportedCommand as error:
            attempt = SendAttempt(AttemptStatus.PERMANENT, error_message=str(error))
        DELIVERIES.labels(command.tenant_id, command.provider, attempt.status.value).inc()
        return attempt

    def retry_delay(self, command: Command, attempt: SendAttempt, failed_attempts: int) -> float | None:
        """Return the seconds until the next attempt; None if this attempt was the last."""
        policy = self._policy(command, attempt)
        return next_wait(policy, failed_attempts, attempt.delay, random.random())  # noqa: S311 (jitter, not a secret)

    def pause_account(self, command: Command, attempt: SendAttempt, failed_attempts: int) -> float:
        """Stop the account if the answer says that it is over its limit, and return the seconds; 0 if it is not.

        It is independent of whether the command is attempted again.
        """
        if not slows_account(self._providers[command.provider], attempt.error_code):
            return 0.0
        seconds = max(attempt.delay, self._policy(command, attempt).delay(failed_attempts, 0))
        self._limiter.slow_down(self._account(command), time.monotonic(), seconds)
        return seconds

    def may_resend(self, command: Command) -> bool:
        """Return True if the tenant prefers a possible duplicate to a possible loss."""
        tenant = self._tenants.owner(command.provider, command.account)
        return tenant is None or tenant.in_doubt == "resend"

    def _policy(self, command: Command, attempt: SendAttempt) -> RetryPolicy:
        return retry_policy(self._providers[command.provider], attempt.error_code)

    def _account(self, command: Command) -> Account:
        account = self._tenants.account(command.provider, command.account)
        if account is None:
            raise UnknownTenant(f"no tenant owns {command.provider} account {command.account}")
        return account


def _span(command: Command) -> AbstractContextManager[str | None]:
    ids = {"tenant": command.tenant_id, "account": command.account, "command_id": command.command_id}
    return tracing.span("send", command.traceparent, SpanKind.CLIENT, ids)


def _trace_config() -> TraceConfig:
    """Return a configuration that adds the current trace to every request."""
    config = TraceConfig()
    config.on_request_start.append(_add_traceparent)
    return config


async def _add_traceparent(_: ClientSession, __: object, request: TraceRequestStartParams) -> None:
    if traceparent := tracing.current():
        request.headers["traceparent"] = traceparent
