"""The route of a command's call: its account, the connection slots of account and host, and their breakers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from pipeline.logging import get_logger
from pipeline.messenger.availability import AccountAvailability, Change, HostAvailability
from pipeline.messenger.slots import AccountSlots, ConnectionSlots, HostSlots, SlotBounds
from pipeline.metrics import SEND_BREAKERS_OPEN, SEND_CONNECTIONS
from pipeline.tenants import Account, Tenants

log = get_logger(__name__)

MAX_ROUTES: Final = 10_000
"""Routes from which on those without calls and failures are forgotten when another is added."""
IN_USE: Final = "in use"
WAITING: Final = "waiting"


class HostRoute:
    """A host that accounts of one provider share.

    Attributes:
        name: host and port of the accounts' base URL; the provider's name for its default URL.
    """

    __slots__ = ("availability", "name", "slots")

    def __init__(self, name: str, slots: HostSlots) -> None:
        self.name = name
        self.slots = slots
        self.availability = HostAvailability()


class SendRoute:
    """The way of an account's calls.

    Attributes:
        calls: number of calls that have begun, to wait at first, and not ended.
    """

    __slots__ = ("account", "availability", "calls", "host", "slots", "tenant_id")

    def __init__(self, account: Account, tenant_id: str, host: HostRoute, slots: AccountSlots) -> None:
        self.account = account
        self.tenant_id = tenant_id
        self.host = host
        self.slots = slots
        self.calls = 0
        self.availability = AccountAvailability(account.id, host.availability)

    def describe(self, now: float) -> dict[str, Any]:
        """Return the account's calls, and the seconds for which it is held because nobody answers."""
        held = self.availability.delay(now) if self.availability.is_held else 0.0
        in_flight, waiting = self.slots.in_flight, len(self.slots.queue)
        return {"calls": {"in_flight": in_flight, "waiting_for_slots": waiting, "held_seconds": round(held, 1)}}

    def log_change(self, change: Change) -> None:
        """Log that the account or the host became unavailable or available."""
        account = {"tenant": self.tenant_id, "provider": self.account.provider, "account": self.account.id}
        if change.account and change.available:
            log.warning("account_available", detail="its calls are answered again, and its commands go on", **account)
        elif change.account:
            log.warning(
                "account_unavailable", detail="calls get no answer, so its commands wait for a probe", **account
            )
        host = {"provider": self.account.provider, "host": self.host.name}
        if change.host and change.available:
            log.warning("host_available", detail="calls are answered again, and commands go on", **host)
        elif change.host:
            log.warning(
                "host_unavailable",
                detail="calls of several accounts get no answer, so all commands to it wait for a probe",
                **host,
            )


class SendRoutes:
    """The routes of the accounts that this process has called."""

    def __init__(self, tenants: Tenants, bounds: SlotBounds, providers: Iterable[str]) -> None:
        self._tenants = tenants
        self.slots = ConnectionSlots(bounds)
        self._hosts: dict[tuple[str, str], HostRoute] = {}
        self._routes: dict[tuple[str, str], SendRoute] = {}
        for provider in providers:
            self._export(provider)

    def find(self, provider: str, account: str) -> SendRoute | None:
        """Return the route of an account; None if no tenant owns it."""
        return self._routes.get((provider, account)) or self._add(provider, account)

    def known(self, provider: str, account: str) -> SendRoute | None:
        """Return the route of an account that has been called; else None."""
        return self._routes.get((provider, account))

    def reset(self) -> None:
        """Close all breakers, and forget the accounts without calls: another worker may have their commands now."""
        for route in self._routes.values():
            route.availability.reset()
        self._forget_idle()

    def held_with(self, route: SendRoute) -> list[SendRoute]:
        """Return the routes that are held if this one is: all of its host, or itself."""
        if not route.host.availability.breaker.open:
            return [route]
        return [each for each in self._routes.values() if each.host is route.host]

    def _forget_idle(self) -> None:
        routes = self._routes.items()
        self._routes = {key: route for key, route in routes if route.calls or route.availability.has_failures}
        self._hosts = {_host_key(route.account): route.host for route in self._routes.values()}

    def _add(self, provider: str, account_id: str) -> SendRoute | None:
        account, tenant = self._tenants.account(provider, account_id), self._tenants.owner(provider, account_id)
        if account is None or tenant is None:
            return None
        if len(self._routes) >= MAX_ROUTES:
            self._forget_idle()
        key = _host_key(account)
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = HostRoute(key[1], self.slots.host(provider))
        route = SendRoute(account, tenant.id, host, self.slots.account(host.slots))
        self._routes[provider, account_id] = route
        return route

    # Metrics are counted when they are read, so that they cost a call nothing.

    def _export(self, provider: str) -> None:
        SEND_CONNECTIONS.labels(provider, IN_USE).set_function(
            lambda: sum(host.slots.in_flight for host in self._hosts_of(provider))
        )
        SEND_CONNECTIONS.labels(provider, WAITING).set_function(
            lambda: sum(host.slots.waiting for host in self._hosts_of(provider))
        )
        SEND_BREAKERS_OPEN.labels(provider, "account").set_function(
            lambda: sum(len(host.availability.held) for host in self._hosts_of(provider))
        )
        SEND_BREAKERS_OPEN.labels(provider, "host").set_function(
            lambda: sum(host.availability.breaker.open for host in self._hosts_of(provider))
        )

    def _hosts_of(self, provider: str) -> list[HostRoute]:
        return [host for (name, _), host in tuple(self._hosts.items()) if name == provider]


def _host_key(account: Account) -> tuple[str, str]:
    """Return provider and host. User name and password of a URL are no part of it."""
    return account.provider, (_location(account.base_url) if account.base_url else "") or account.provider


def _location(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:  # no call succeeds at such a URL, and its text may contain a password
        return "invalid"
