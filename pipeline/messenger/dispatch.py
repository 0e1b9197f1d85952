"""One way out: a command waits for its account's turn and goes to its provider."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager

from aiohttp import ClientSession, TraceConfig, TraceRequestStartParams
from opentelemetry.trace import SpanKind

from pipeline import tracing
from pipeline.backoff import next_wait
from pipeline.errors import UnknownTenant, UnsupportedCommand
from pipeline.messenger import Limiter, retry_policy, slows_account
from pipeline.messenger.connections import Permit, open_session, under
from pipeline.metrics import DELIVERIES, DELIVERY_SECONDS
from pipeline.providers.base import Delivery, DeliveryStatus, Provider
from pipeline.tenants import Account, Tenants
from pipeline.topics.commands import Command, CommandKind

Wait = Callable[[float], Awaitable[None]]


class Dispatcher:
    """Calls providers, each account within its limits. Must be the only one that calls for its accounts.

    Every account's commands are on one partition, so that one worker has all of them.
    """

    def __init__(self, providers: Mapping[str, Provider], tenants: Tenants, connections: int) -> None:
        self._providers = providers
        self._tenants = tenants
        self._limiter = Limiter()
        self._session = open_session(connections, _traced())

    async def close(self) -> None:
        await self._session.close()

    def forget(self) -> None:
        """Forgets how much each account may send: others may have sent for it, so it starts with nothing saved up."""
        self._limiter.clear()

    async def turn(self, command: Command, wait: Wait) -> None:
        """Returns when the account may send. A read mark is no message: it counts against no limit."""
        if command.kind is CommandKind.READ:
            return
        delay = self._limiter.take(self._account(command), time.monotonic())
        if delay > 0:
            await wait(delay)

    async def call(self, command: Command, permit: Permit | None = None) -> Delivery:
        """One attempt. What the provider has no endpoint for is refused for good.

        Raises `CallWithheld` where the permit does not hold when a request is about to be written.
        """
        account = self._account(command)
        try:
            with DELIVERY_SECONDS.labels(command.provider).time(), _span(command), under(permit or Permit()):
                delivery = await self._providers[command.provider].deliver(command, account, self._session)
        except UnsupportedCommand as error:
            delivery = Delivery(DeliveryStatus.PERMANENT, error_message=str(error))
        DELIVERIES.labels(command.tenant_id, command.provider, delivery.status.value).inc()
        return delivery

    def next_try(self, command: Command, delivery: Delivery, tries: int) -> float | None:
        """Seconds until the next try of what was not done `tries` times; None: it was the last."""
        policy = retry_policy(command.provider, delivery.error_code)
        return next_wait(policy, tries, delivery.delay, random.random())  # noqa: S311 (jitter, not a secret)

    def close_account(self, command: Command, delivery: Delivery, tries: int) -> float:
        """Stops the whole account if the answer says that it is over its limit. Gives the seconds; 0: it does not.

        That is so whether or not the command has another try.
        """
        if not slows_account(command.provider, delivery.error_code):
            return 0.0
        seconds = max(delivery.delay, retry_policy(command.provider, delivery.error_code).delay(tries, 0))
        self._limiter.slow_down(self._account(command), time.monotonic(), seconds)
        return seconds

    def resends(self, command: Command) -> bool:
        """Whether the tenant rather sends twice than not at all."""
        tenant = self._tenants.owner(command.provider, command.account)
        return tenant is None or tenant.in_doubt == "resend"

    def _account(self, command: Command) -> Account:
        account = self._tenants.account(command.provider, command.account)
        if account is None:
            raise UnknownTenant(f"no tenant owns {command.provider} account {command.account}")
        return account


def _span(command: Command) -> AbstractContextManager[str | None]:
    ids = {"tenant": command.tenant_id, "account": command.account, "command_id": command.command_id}
    return tracing.span("send", command.traceparent, SpanKind.CLIENT, ids)


def _traced() -> TraceConfig:
    """Puts the trace into every request."""
    config = TraceConfig()
    config.on_request_start.append(_carry)
    return config


async def _carry(_: ClientSession, __: object, request: TraceRequestStartParams) -> None:
    if traceparent := tracing.current():
        request.headers["traceparent"] = traceparent
