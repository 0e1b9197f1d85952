"""Messages that arrive too late to be handled.

Event ids are remembered for days, not for ever. A captured webhook could be posted again once its id is forgotten, and
would have its effect again. So a message that is older than that is not handled.
"""

from __future__ import annotations

from pipeline.topics import headers
from pipeline.topics.dead_letters import is_redriven
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.records import ConsumedRecord, has_header


def stale_age(event: ParsedEvent, source: ConsumedRecord, limit: float) -> int | None:
    """Return the age of a message at its arrival, in seconds, if it exceeds `limit`; None for any other event.

    Other events are always fresh: a late status still resolves a send, and history is old by nature. Redriven records
    are fresh, too.
    """
    if not _is_message(event):
        return None
    age = event.age()
    if age <= limit or is_redriven(source):
        return None
    return int(age)


def is_stale(record: ConsumedRecord) -> bool:
    """Return True if the event of a record must not be handled."""
    return has_header(record.headers, headers.STALE)


def _is_message(event: ParsedEvent) -> bool:
    """Return True for a message, also for one of a type that has no model yet."""
    return event.kind == "message" or (event.kind == "unknown" and str(event.get("event_type")).startswith("message."))
