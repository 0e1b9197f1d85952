"""Finds the holders of a secret that a caller presents."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from secrets import token_bytes
from typing import Final, Generic, TypeVar

Holder = TypeVar("Holder")

DIGEST_SIZE: Final = 16
"""Bytes of a digest: enough for no two secrets of an installation to have the same."""


class SecretIndex(Generic[Holder]):
    """Holders by the keyed digest of their secret.

    A look-up takes the same time whatever the secrets are: it depends on the length of what is presented alone. Callers
    can't choose the digests of what they present, because the key is random and of this object, so the time of the
    comparison of two digests tells them nothing about a secret.
    """

    def __init__(self) -> None:
        self._key = token_bytes(blake2b.MAX_KEY_SIZE)
        self._holders: dict[bytes, list[Holder]] = {}

    def add(self, holder: Holder, *secret: str) -> Sequence[Holder]:
        """Add a holder of a secret, which may have several parts; return all of its holders."""
        holders = self._holders.setdefault(self._digest(secret), [])
        holders.append(holder)
        return holders

    def find(self, *secret: str) -> Sequence[Holder]:
        """Return the holders of a secret, in the order in which they were added; none for an unknown one."""
        return self._holders.get(self._digest(secret), ())

    def _digest(self, parts: tuple[str, ...]) -> bytes:
        # the length in front of each part keeps ("ab", "c") apart from ("a", "bc")
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
        whole = b"".join(b"%d:%b" % (len(part), part) for part in encoded)
        return blake2b(whole, digest_size=DIGEST_SIZE, key=self._key).digest()
