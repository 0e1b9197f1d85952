"""Who is calling, when proxies stand in between.

A proxy appends the address that it was called from to `X-Forwarded-For`, so only what trusted proxies wrote can be
believed, and that is at the right: everything further left is whatever the caller liked to send.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from pydantic import IPvAnyNetwork


class Proxies:
    """The proxies in front of the ingress that may speak for their callers."""

    def __init__(self, trusted: Iterable[IPvAnyNetwork] = ()) -> None:
        self._trusted = tuple(trusted)

    def caller(self, peer: str | None, forwarded: Sequence[str]) -> str | None:
        """The address of the first that is no trusted proxy, seen from here; None if it can't be known.

        Args:
            peer: the connection's other end.
            forwarded: the values of all `X-Forwarded-For` headers, in order.
        """
        address = _address(peer or "")
        hops = [hop for header in forwarded for hop in header.split(",")] if self._trusted else []
        while hops and address is not None and self._trusts(address):
            address = _address(hops.pop())
        return str(address) if address is not None else None

    def client(self, peer: str | None) -> str | None:
        """The address that a connection counts for; None for a trusted proxy, which speaks for many."""
        address = _address(peer or "")
        return None if address is None or self._trusts(address) else client_of(str(address))

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def client_of(address: str) -> str:
    """The address, or the network in which an IPv6 caller has every address that it likes."""
    found = ip_address(address)
    return str(IPv6Network((found, 64), strict=False)) if isinstance(found, IPv6Address) else address


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address with or without a port; one of IPv4 in the clothes of IPv6 as what it is."""
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
