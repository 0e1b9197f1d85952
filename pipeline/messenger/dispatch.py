"""Calls to providers: a command waits for its account's permit and for a connection slot, and goes to its provider."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any, Final

from aiohttp import ClientSession, TraceConfig, TraceRequestStartParams
from opentelemetry.trace import SpanKind

from pipeline import clock, tracing
from pipeline.backoff import RetryPolicy, next_wait, wait_after
from pipeline.errors import CallWithheld, NewerRecord, UnknownTenant, UnsupportedCommand
from pipeline.messenger.account_alerts import AccountAlerts
from pipeline.messenger.call import ProviderCall
from pipeline.messenger.code_counts import CodeCounts
from pipeline.messenger.connections import WriteGuard, guarded_by, open_session
from pipeline.messenger.controls import NO_CONTROLS, Controls
from pipeline.messenger.limits.account import RateUse, Send
from pipeline.messenger.limits.rows import ReadRow
from pipeline.messenger.permits import Permits
from pipeline.messenger.policies import code_policy, retry_policy
from pipeline.messenger.routes import SendRoute, SendRoutes
from pipeline.messenger.slots import SlotBounds
from pipeline.messenger.spending import limits_of, rank_of, send_of
from pipeline.messenger.waking import Sleep
from pipeline.metrics import ACCOUNTS_LOWERED, DELIVERIES, DELIVERY_SECONDS
from pipeline.providers.base import AttemptStatus, Provider, SendAttempt
from pipeline.tenants import Account, Tenants
from pipeline.topics.catalogue import MESSENGER
from pipeline.topics.commands import Command, CommandKind

PERMIT_LIFETIME: Final = 0.05
"""Seconds for which a call with a permit may wait for its slot: so many seconds of permits come together, at most."""
MAX_PERMIT_AGE: Final = 0.5
"""Seconds that may pass from a permit to its call, until it is replaced: the broker may hold up many intents together.

With the burst of a quiet time it is less than the provider allows at once.
"""

INBOUND_AGE: Final = 5.0
"""Seconds after which a message that was received uses no permit any more."""

Deliver = Callable[[Provider, Command, Account, ClientSession], Awaitable[SendAttempt]]
"""Carries out a command by its provider, as `Provider.deliver` does."""


def deliver_plainly(
    provider: Provider, command: Command, account: Account, session: ClientSession
) -> Awaitable[SendAttempt]:
    return provider.deliver(command, account, session)


class Dispatcher:
    """Calls providers and keeps each account within its limits.

    It must be the only one that calls for its accounts. The commands of an account are on one partition, so that one
    worker has all of them.

    Args:
        deliver: calls a provider; by default its `deliver` alone.

    Attributes:
        codes: the error codes of answers and outcomes.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        tenants: Tenants,
        bounds: SlotBounds,
        deliver: Deliver = deliver_plainly,
        controls: Controls = NO_CONTROLS,
        now: Callable[[], float] = clock.steady,
    ) -> None:
        """`now` returns unix seconds that never jump; limits are measured by it."""
        self._providers = providers
        self._deliver = deliver
        self._tenants = tenants
        self._now = now
        self._limits = partial(limits_of, rate=controls.rate)
        self._permits = Permits(self._limits, now)
        self._alerts = AccountAlerts()
        self.codes = CodeCounts(providers)
        self._routes = SendRoutes(tenants, bounds, providers)
        for name in providers:
            ACCOUNTS_LOWERED.labels(MESSENGER, name).set_function(partial(self._permits.lowered, name))
        self._seconds = {name: DELIVERY_SECONDS.labels(name) for name in providers}
        self._session = open_session(2 * bounds.total, _trace_config())

    async def close(self) -> None:
        await self._session.close()

    def reset(self) -> None:
        """Forget what was spent and close all breakers: another worker may have sent for the accounts."""
        self._permits.clear()
        self.codes.reset()
        self._routes.reset()

    def change_limit(self, account: Account) -> None:
        """Let the account send at the rate that it has now. What was spent stays spent."""
        if permits := self._permits.known(account):
            permits.change(self._limits(account))

    async def begin(self, command: Command, wait: Sleep, read: ReadRow, within: float = math.inf) -> ProviderCall:
        """Return when the account may send and has a connection slot. End the call in any case.

        Raises `KeyUnavailable` while the account or its host does not answer or a limit holds the command for long, and
        `RetryAfter` if the command may not be sent within `within` seconds. Neither spends anything.

        `read` reads the messenger's table. Call `spend` before the call is made, and make its rows durable.
        """
        until = self._now() + within
        call = ProviderCall(self._routes.slots, self._route(command), self._now)
        try:
            while True:
                permitted = await self.wait_for_permit(command, wait, read, max(0.0, until - self._now()))
                call.permitted_at = self._now()
                call.require_available()  # calls may have failed meanwhile
                if permitted and (
                    call.take_slot() or self._is_permitted(command, call, await call.wait_for_slot(wait))
                ):
                    return call
                call.release_slot()
        except BaseException:
            call.end()
            raise

    async def wait_for_permit(self, command: Command, wait: Sleep, read: ReadRow, within: float = math.inf) -> bool:
        """Return True when the account may send, False if the wait ended without a permit.

        A read mark is no message, so it needs no permit.
        """
        if command.kind is CommandKind.READ:
            return True
        permits = self._permits.of(self._account(command), read)
        return await permits.acquire(self._send_of(command), rank_of(command), wait, within)

    def spend(self, command: Command, read: ReadRow) -> dict[str, bytes]:
        """Spend what a command needs beside its permit. Return the rows that must be durable before the call is made.

        Raises `KeyUnavailable` if a limit holds the command by now.
        """
        if command.kind is CommandKind.READ:
            return {}
        permits = self._permits.of(self._account(command), read)
        return permits.spend(self._send_of(command))

    def spent(self, command: Command, rows: dict[str, bytes]) -> None:
        """Note that the rows of `spend` are durable."""
        if rows and (permits := self._permits.known(self._account(command))):
            permits.limiter.saved(rows)

    def charge(self, account_key: str, inbound: int, at: float, read: ReadRow) -> None:
        """Charge an account for messages that it has received at a unix time, which some providers count as well.

        What is older than `INBOUND_AGE` is past, such as a backlog after an outage. An account whose rows are those of
        a newer version is not charged: its commands wait for that version.
        """
        provider, _, account = account_key.partition(":")
        if inbound and self._now() - at < INBOUND_AGE and (route := self._routes.find(provider, account)):
            with suppress(NewerRecord):
                self._permits.of(route.account, read).limiter.charge(self._now(), inbound)

    def _send_of(self, command: Command) -> Send:
        return send_of(command, self._account(command), self._providers[command.provider].contact(command.recipient))

    def _is_permitted(self, command: Command, call: ProviderCall, waited: float) -> bool:
        """Return True if the call has a slot, and a permit in spite of the seconds that it `waited` for the slot.

        An old permit is replaced by one that is valid now, if there is one: commands that waited for slots together
        would become one burst otherwise.
        """
        if not call.has_slot or waited <= PERMIT_LIFETIME or command.kind is CommandKind.READ:
            return call.has_slot
        permits = self._permits.known(self._account(command))
        call.permitted_at = self._now()
        return permits is not None and permits.queue.take(rank_of(command), call.permitted_at)

    async def renew_permit(self, command: Command, call: ProviderCall, wait: Sleep) -> None:
        """Wait for another permit if the call was held up for so long that its own is too old.

        Calls that were held up together would become one burst otherwise. Raises `CallWithheld` if none comes soon.
        """
        if command.kind is CommandKind.READ or self._now() - call.permitted_at <= MAX_PERMIT_AGE:
            return
        permits = self._permits.known(self._account(command))
        if permits is None or not await permits.renew(rank_of(command), wait):
            raise CallWithheld("the call was held up, and no other permit came")
        call.permitted_at = self._now()

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
                attempt = await self._deliver(self._providers[command.provider], command, account, self._session)
            if permits := self._permits.known(account):
                permits.limiter.arrived(self._send_of(command), self._now())
            if call is not None and call.conclude(attempt):
                self._hold(call)
        except UnsupportedCommand as error:
            attempt = SendAttempt(AttemptStatus.PERMANENT, error_message=str(error))
        finally:
            if call is not None:
                call.end()
        DELIVERIES.labels(command.tenant_id, command.provider, attempt.status.value).inc()
        if (code := attempt.error_code) is not None:
            policy = code_policy(self._providers[command.provider], code)
            self.codes.answered(command.tenant_id, command.provider, code, policy)
            self._alerts.note(command.tenant_id, command.provider, command.account, code, policy)
        return attempt

    def _hold(self, call: ProviderCall) -> None:
        """Let the waiting commands of what became unavailable find out."""
        for route in self._routes.held_with(call.route):
            if permits := self._permits.known(route.account):
                permits.cancel()
            self._routes.slots.cancel(route.slots)

    def describe(self, account: Account) -> dict[str, Any]:
        """Return what this process knows of an account that it sends for: its limits and its calls. Else nothing."""
        permits, route = self._permits.known(account), self._routes.known(account.provider, account.id)
        found = permits.describe() if permits else {}
        return found | self.codes.describe(account) | (route.describe(self._now()) if route else {})

    def rate_use(self, account_key: str) -> RateUse | None:
        """Return how much of its rate an account uses; None if this process has not sent for it."""
        permits = self._permits.find(account_key)
        return permits.limiter.rate_use(self._now()) if permits else None

    def unavailable_for(self, command: Command) -> float:
        """Return the seconds for which the command's account or host is held; 0 if it is not."""
        return self._route(command).availability.delay(self._now())

    def retry_delay(self, command: Command, attempt: SendAttempt, failed_attempts: int) -> float | None:
        """Return the seconds until the next attempt; None if this attempt was the last."""
        policy = self._policy(command, attempt)
        return next_wait(policy, failed_attempts, attempt.delay, random.random())  # noqa: S311 (jitter, not a secret)

    def pauses(self, command: Command, attempt: SendAttempt) -> bool:
        """Return True if the answer's code stops the account or the pair."""
        return code_policy(self._providers[command.provider], attempt.error_code).pauses is not None

    def pause(self, command: Command, attempt: SendAttempt, failed_attempts: int) -> tuple[float, dict[str, bytes]]:
        """Stop the account or the pair because the answer's code asks for it.

        Return the seconds for which the account stops, 0 if it does not, and the rows that say what stops. It is
        independent of whether the command is attempted again.
        """
        policy, rows = code_policy(self._providers[command.provider], attempt.error_code), dict[str, bytes]()
        share = random.random()  # noqa: S311 (jitter, not a secret)
        seconds = wait_after(policy.retry, failed_attempts, attempt.delay, share)
        if permits := self._permits.known(self._account(command)):
            person = self._send_of(command).person if policy.pauses_pair else None
            rows = permits.pause(seconds, person, lowers_limit=policy.lowers_limit)
        return (seconds if policy.pauses_account else 0.0), rows

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
