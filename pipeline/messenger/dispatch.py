"""Calls to providers: a command waits for its account's permit and for a connection slot, and goes to its provider."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Final

from aiohttp import ClientSession, TraceConfig, TraceRequestStartParams
from opentelemetry.trace import SpanKind

from pipeline import tracing
from pipeline.backoff import RetryPolicy, next_wait
from pipeline.errors import KeyUnavailable, RetryAfter, UnknownTenant, UnsupportedCommand
from pipeline.messenger import Limiter, retry_policy, slows_account
from pipeline.messenger.call import ProviderCall, Sleep
from pipeline.messenger.connections import WriteGuard, guarded_by, open_session
from pipeline.messenger.routes import SendRoute, SendRoutes
from pipeline.messenger.slots import SlotBounds
from pipeline.metrics import DELIVERIES, DELIVERY_SECONDS
from pipeline.providers.base import AttemptStatus, Provider, SendAttempt
from pipeline.tenants import Account, Tenants
from pipeline.topics.commands import Command, CommandKind

REVIEW_INTERVAL: Final = 60.0
"""Maximum seconds until a command that is due later is looked at again: a status or its expiry may end it earlier."""
MAX_PERMIT_WAIT: Final = 1.0
"""Maximum seconds for which a permit is reserved ahead. A command that waits for longer may leave memory, and the
permit would not be used."""
PERMIT_LIFETIME: Final = 0.05
"""Seconds for which a permit may be used: so many seconds of an account's permits may come together, at most."""


class Dispatcher:
    """Calls providers and keeps each account within its limits.

    It must be the only one that calls for its accounts. The commands of an account are on one partition, so that one
    worker has all of them.
    """

    def __init__(self, providers: Mapping[str, Provider], tenants: Tenants, bounds: SlotBounds) -> None:
        self._providers = providers
        self._tenants = tenants
        self._limiter = Limiter()
        self._routes = SendRoutes(tenants, bounds, providers)
        self._seconds = {name: DELIVERY_SECONDS.labels(name) for name in providers}
        self._session = open_session(2 * bounds.total, _trace_config())

    async def close(self) -> None:
        await self._session.close()

    def reset_limits(self) -> None:
        """Empty all token buckets and close all breakers, because another worker may have sent for the accounts."""
        self._limiter.clear()
        self._routes.reset()

    async def begin(self, command: Command, wait: Sleep, within: float = math.inf) -> ProviderCall:
        """Return when the account may send and has a connection slot. End the call in any case.

        Raises `KeyUnavailable` while the account or its host does not answer or its next permit is far ahead, and
        `RetryAfter` if the account may not send within `within` seconds. Neither spends a permit.
        """
        until = time.monotonic() + within
        call = ProviderCall(self._routes.slots, self._route(command))
        try:
            while True:
                permitted = await self.wait_for_permit(command, wait, until - time.monotonic())
                call.require_available()  # calls may have failed meanwhile
                if permitted and (
                    call.take_slot() or self._is_permitted(command, call, await call.wait_for_slot(wait))
                ):
                    return call
                call.release_slot()
        except BaseException:
            call.end()
            raise

    async def wait_for_permit(self, command: Command, wait: Sleep, within: float = math.inf) -> bool:
        """Return True when the account may send, False if its permits became void meanwhile.

        Raises `RetryAfter` if it may not send within `within` seconds, and `KeyUnavailable` if its next permit is far
        ahead. Neither spends a permit.

        A read mark is no message, so it needs no permit.
        """
        if command.kind is CommandKind.READ:
            return True
        account, now = self._account(command), time.monotonic()
        bucket = self._limiter.bucket(account, now)
        delay = bucket.reserve(now, min(within, MAX_PERMIT_WAIT))
        if delay > within:
            raise RetryAfter("it expires before its account may send it", min(within, REVIEW_INTERVAL))
        if delay > MAX_PERMIT_WAIT:
            # Back before the next permit is valid, so that none is unused.
            again = min(delay - MAX_PERMIT_WAIT / 2, REVIEW_INTERVAL)
            raise KeyUnavailable("its account is at its limit", again, probing=False)
        if delay <= 0:
            return True
        await wait(delay)
        return self._limiter.bucket(account, time.monotonic()) is bucket

    def _is_permitted(self, command: Command, call: ProviderCall, waited: float) -> bool:
        """Return True if the call has a slot, and a permit in spite of the seconds that it `waited` for the slot.

        An old permit is replaced by one that is valid now, if there is one: commands that waited for slots together
        would become one burst otherwise.
        """
        if not call.has_slot or waited <= PERMIT_LIFETIME or command.kind is CommandKind.READ:
            return call.has_slot
        account, now = self._account(command), time.monotonic()
        return self._limiter.wait(account, now) <= 0 and self._limiter.reserve(account, now) <= 0

    async def attempt(
        self, command: Command, guard: WriteGuard | None = None, call: ProviderCall | None = None
    ) -> SendAttempt:
        """Call the provider once. A kind that the provider has no endpoint for is a permanent failure.

        `call` is ended as soon as the answer is there. Raises `CallWithheld` if the guard does not allow a request to
        be written.
        """
        account = self._account(command)
        try:
            with self._seconds[command.provider].time(), _span(command), guarded_by(guard or WriteGuard()):
                attempt = await self._providers[command.provider].deliver(command, account, self._session)
            if call is not None and call.conclude(attempt):
                self._hold(call)
        except UnsupportedCommand as error:
            attempt = SendAttempt(AttemptStatus.PERMANENT, error_message=str(error))
        finally:
            if call is not None:
                call.end()
        DELIVERIES.labels(command.tenant_id, command.provider, attempt.status.value).inc()
        return attempt

    def _hold(self, call: ProviderCall) -> None:
        """Let the waiting commands of what became unavailable find out, and reserve permits anew when they return.

        The probe would wait behind permits that nobody uses otherwise.
        """
        now = time.monotonic()
        for route in self._routes.held_with(call.route):
            self._limiter.restart(route.account, now)
            self._routes.slots.cancel(route.slots)

    def unavailable_for(self, command: Command) -> float:
        """Return the seconds for which the command's account or host is held; 0 if it is not."""
        return self._route(command).availability.delay(time.monotonic())

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
        return self._route(command).account

    def _route(self, command: Command) -> SendRoute:
        route = self._routes.find(command.provider, command.account)
        if route is None:
            raise UnknownTenant(f"no tenant owns {command.provider} account {command.account}")
        return route


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
