"""Find the client's address behind trusted proxies.

A proxy appends the address of its caller to `X-Forwarded-For`. Only entries that a trusted proxy appended are
believed, and they are the rightmost ones: a caller can send any text further left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from pydantic import IPvAnyNetwork


class TrustedProxies:
    """The proxies in front of the ingress whose `X-Forwarded-For` is believed."""

    def __init__(self, trusted: Iterable[IPvAnyNetwork] = ()) -> None:
        self._trusted = tuple(trusted)

    def client_ip(self, peer: str | None, forwarded: Sequence[str]) -> str | None:
        """Return the nearest address that is not a trusted proxy; None if it can't be known.

        Args:
            peer: the connection's other end.
            forwarded: the values of all `X-Forwarded-For` headers, in order.
        """
        address = _address(peer or "")
        hops = [hop for header in forwarded for hop in header.split(",")] if self._trusted else []
        while hops and address is not None and self._trusts(address):
            address = _address(hops.pop())
        return str(address) if address is not None else None

    def connection_client(self, peer: str | None) -> str | None:
        """Return the client that a connection counts for; None for a trusted proxy, which has many clients."""
        address = _address(peer or "")
        return None if address is None or self._trusts(address) else client_network(str(address))

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def client_network(address: str) -> str:
    """Return an IPv4 address unchanged, and the /64 network of an IPv6 address: one caller owns all of it."""
    found = ip_address(address)
    return str(IPv6Network((found, 64), strict=False)) if isinstance(found, IPv6Address) else address


@lru_cache(maxsize=4096)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address with or without a port. IPv4-mapped IPv6 addresses are returned as IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
