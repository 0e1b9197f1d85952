"""Log lines about records that failed: type, places in the code, tenant and event; never the text of a message."""

from __future__ import annotations

from typing import Any, Final

from pipeline.errors import KeyUnavailable, RetryAfter, error_type
from pipeline.frames import frames, is_of_author
from pipeline.line_limit import LineLimit
from pipeline.logging import get_logger, shown_message
from pipeline.topics import headers
from pipeline.topics.records import ConsumedRecord

log = get_logger(__name__)

_NAMES: Final = {
    headers.TENANT: "tenant",
    headers.EVENT_ID: "event_id",
    headers.EVENT_TYPE: "event_type",
    headers.COMMAND_ID: "command_id",
}
"""Headers that a line names a record by, and its fields."""
_limit: Final = LineLimit()


def describe_failure(record: ConsumedRecord, error: Exception) -> dict[str, Any]:
    """Return the fields of a log line about a record that failed. `message` is there where logs may have it."""
    places = frames(error)
    named = {_NAMES[name]: value for name, value in record.headers if name in _NAMES and value}
    return {
        "error": error_type(error),
        "raised_at": places[0] if places else "",
        "frames": places[1:],
        **{name: value.decode(errors="backslashreplace") for name, value in named.items()},
        **shown_message(error),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
    }


def log_attempt(record: ConsumedRecord, stage: str, error: Exception, attempts: int, delay: float) -> None:
    """Log that a record failed and is tried again after `delay` seconds.

    Not so a stage's own waits for a time that is known, such as that of a limit: those are no failures. Of one kind and
    tenant 100 lines are written in 10 s; the next one says how many were not.
    """
    if isinstance(error, RetryAfter) and (isinstance(error, KeyUnavailable) or not is_of_author(error)):
        return
    fields = describe_failure(record, error)
    suppressed = _limit.admit((stage, fields["error"], fields["raised_at"], fields.get("tenant")))
    if suppressed is None:
        return
    log.warning(
        "attempt_failed",
        stage=stage,
        **fields,
        attempts=attempts,
        next_try_seconds=round(delay, 1),
        detail="it is tried again, and its conversation waits meanwhile",
        **({"suppressed": suppressed} if suppressed else {}),
    )
