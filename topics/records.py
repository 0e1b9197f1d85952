"""Records: the input and output of stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

Header = tuple[str, bytes]
"""A Kafka header: its name and its value. Our values are UTF-8; foreign ones are any bytes, or None."""


class ConsumedRecord(Protocol):
    """A record from Kafka."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """The producer's time, in ms since the epoch."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[Header]: ...


class Record(NamedTuple):
    """A record to publish.

    Its partition follows from its key (murmur2, as in other Kafka clients), so it has no field.
    """

    topic: str
    key: bytes
    value: bytes
    headers: Sequence[Header] = ()


Output = tuple[Record, ConsumedRecord]
"""A record to be published, and the source record that it was made of."""


def header(headers: Sequence[Header], name: str) -> str | None:
    """Return the value of the first header `name`, or None. Bytes that are not UTF-8 are escaped (`\\xff`)."""
    found: bytes | None = next((value for key, value in headers if key == name), None)
    return None if found is None else found.decode(errors="backslashreplace")


def has_header(headers: Sequence[Header], name: str) -> bool:
    """Return True if there is a header `name`. A loop saves a microsecond per record, compared to `any()`."""
    for key, _ in headers:  # noqa: SIM110
        if key == name:
            return True
    return False
