"""The version of a record's format, so that an older worker waits for a newer one instead of misreading a record.

A new optional field or a new type of message needs no new version: readers keep what they don't know. The version is
incremented when it would be wrong to act on a record without knowing the change. Version 1 is not written.
"""

from __future__ import annotations

from typing import Final

from pipeline.errors import NewerRecord
from pipeline.topics.headers import VERSION
from pipeline.topics.records import ConsumedRecord

MAX_DIGITS: Final = 9
READABLE: Final = 2
"""The newest version that this worker can process."""
UPLOADS: Final = 2
"""The version of commands whose medium is an upload. An older messenger would find no medium in them."""


def require_readable(record: ConsumedRecord) -> None:
    """Raise `NewerRecord` if a record needs a newer version."""
    for name, value in record.headers:
        if name == VERSION and _number(value) > READABLE:
            raise NewerRecord(f"a record of version {_number(value)}, and this worker reads {READABLE}")


def _number(value: bytes) -> int:
    """Return the version as a number; 0 for a header that is not a number of at most nine digits."""
    return int(value) if value and value.isdigit() and len(value) <= MAX_DIGITS else 0
