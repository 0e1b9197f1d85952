"""Connections to public addresses only, for URLs from outside.

Such a URL could name this machine, a neighbour or a cloud's metadata service: by an address, by a name that resolves to
one, or by a redirect. So every connection is checked, also that of a redirect, by the addresses that its host resolved
to. It is made to one of exactly these addresses, so that a different second resolution (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import DefaultResolver, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from pipeline.errors import Unsendable

if TYPE_CHECKING:
    from aiohttp import ClientRequest, ClientTimeout
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

URL_NOT_ALLOWED: Final = "URL_NOT_ALLOWED"
"""Error code of a URL that leads to an address that is not public."""

_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")
_AZURE: Final = IPv4Address("168.63.129.16")
"""Address of Azure's host for its virtual machines. It is global by its number, but not public."""
_NUMERIC: Final = re.compile(r"(?:.*\.)?(?:0x[0-9a-f]*|\d+)\.?", re.I | re.ASCII | re.S)
"""Hosts that systems read as IPv4 addresses, although they are written differently: `127.1`, `0x7f000001`."""
_NAME: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
"""A resolvable host name. `::1%` is neither a name nor an address of `ipaddress`, but systems connect to it."""


class WebOrigin(NamedTuple):
    """A host and a port."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> WebOrigin:
        found = URL(url)
        return cls(_plain(found.host or ""), found.port or 443)


class PublicConnector(TCPConnector):
    """Connects to public addresses, to networks in `allowed`, and to the origin `own`.

    Raises `Unsendable` for everything else, before a byte is sent.
    """

    def __init__(
        self, allowed: Collection[Network] = (), own: WebOrigin | None = None, resolver: AbstractResolver | None = None
    ) -> None:
        self._checks = _Checks(tuple(allowed), own)
        super().__init__(resolver=_CheckedResolver(self._checks, resolver or DefaultResolver()), use_dns_cache=False)

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:
        """Check a literal address, which is not resolved, and connect."""
        self._checks.require_literal(_plain(req.url.raw_host or ""), req.url.port or 443)
        return await super().connect(req, traces, timeout)


class _CheckedResolver(AbstractResolver):
    """Resolves a host to the addresses that may be connected to."""

    def __init__(self, checks: _Checks, resolver: AbstractResolver) -> None:
        self._checks = checks
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if self._checks.is_own(_plain(host), port):
            return found
        public = [each for each in found if self._checks.allow(each["host"])]
        if found and not public:
            raise not_public(host)
        return public

    async def close(self) -> None:
        await self._resolver.close()


class _Checks(NamedTuple):
    allowed: tuple[Network, ...]
    own: WebOrigin | None

    def is_own(self, host: str, port: int) -> bool:
        return self.own == (host, port)

    def allow(self, host: str) -> bool:
        """Return True if a resolved address may be connected to."""
        address = embedded_ipv4(ip_address(host))
        return is_public(address) or any(address in network for network in self.allowed)

    def require_literal(self, host: str, port: int) -> None:
        """Raise `Unsendable` for a literal address that may not be connected to, in any notation."""
        if self.is_own(host, port):
            return
        try:
            fine = self.allow(host)
        except ValueError:  # a name, which will be resolved
            fine = _NAME.fullmatch(host) is not None and not _NUMERIC.fullmatch(host)
        if not fine:
            raise not_public(host)


def not_public(host: str) -> Unsendable:
    return Unsendable(
        f"{host} is at an address that is not public: pass a public URL, or allow its network by "
        "PIPELINE_MEDIA_NETWORKS",
        URL_NOT_ALLOWED,
    )


def is_public(address: Address) -> bool:
    """Return True if anybody on the Internet can reach the address."""
    real = embedded_ipv4(address)
    return real.is_global and not (
        real == _AZURE
        or real.is_multicast
        or real.is_private
        or real.is_reserved
        or real.is_loopback
        or real.is_link_local
        or real.is_unspecified
        or (isinstance(real, IPv6Address) and real.is_site_local)
    )


def embedded_ipv4(address: Address) -> Address:
    """Return the IPv4 address in an IPv6 address (mapped, compatible, NAT64, 6to4, Teredo), else the address."""
    if isinstance(address, IPv4Address):
        return address
    inner: Sequence[IPv4Address | None] = (address.ipv4_mapped, address.sixtofour, (address.teredo or (None, None))[1])
    if found := next((each for each in inner if each), None):
        return found
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 0xFFFF):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _plain(host: str) -> str:
    return host.lower().rstrip(".")
