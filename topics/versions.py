"""The version of a record's form, so that an older worker waits for its successor instead of misreading a newer one.

What readers can do without (a field more, a new type of message) needs no new version: they keep it. A version goes up
when acting on a record without knowing what is new would be wrong. Version 1 is not written, so it costs nothing.
"""

from __future__ import annotations

from typing import Final

from pipeline.errors import NewerRecord
from pipeline.topics.headers import VERSION
from pipeline.topics.records import Incoming

READABLE: Final = 1
"""The newest version that this one can act on."""


def require_readable(record: Incoming) -> None:
    """Raises `NewerRecord` for a record that is for a newer version."""
    for name, value in record.headers:
        if name == VERSION and _number(value) > READABLE:
            raise NewerRecord(f"a record of version {_number(value)}, and this worker reads {READABLE}")


def _number(value: bytes) -> int:
    """A header that is no number is nobody's version."""
    return int(value) if value and value.isdigit() else 0
