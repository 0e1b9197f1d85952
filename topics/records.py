"""Records: what stages take from Kafka and what they give back to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

Header = tuple[str, bytes]
"""One Kafka header: its name and its value. Ours are UTF-8; those of strangers are any bytes, or None."""


class Incoming(Protocol):
    """A record as it came from Kafka."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """When the producer made it, in ms since the epoch."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[Header]: ...


class Record(NamedTuple):
    """A record to be published.

    Its partition follows from its key (murmur2, as every Kafka client agrees), so it is not named here.
    """

    topic: str
    key: bytes
    value: bytes
    headers: Sequence[Header] = ()


Output = tuple[Record, Incoming]
"""A record to be published, and the source record that it was made of."""


def header(headers: Sequence[Header], name: str) -> str | None:
    """The value of the first header called `name`, or None. Bytes that are no UTF-8 are escaped (`\\xff`)."""
    found: bytes | None = next((value for key, value in headers if key == name), None)
    return None if found is None else found.decode(errors="backslashreplace")


def has_header(headers: Sequence[Header], name: str) -> bool:
    """Whether there is a header called `name`. No generator: it costs a microsecond, and every record is asked."""
    for key, _ in headers:  # noqa: SIM110
        if key == name:
            return True
    return False
