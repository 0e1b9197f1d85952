"""Messages that come too late to be answered.

Ids are remembered for days and not for ever. So whoever has seen a webhook once could post it again when its id is
forgotten, and it would act again. A message that is older than ids are remembered is not handled.
"""

from __future__ import annotations

from pipeline.topics import headers
from pipeline.topics.dead_letters import is_redriven
from pipeline.topics.events.wire import WireEvent
from pipeline.topics.records import Incoming, has_header


def stale_age(event: WireEvent, source: Incoming, limit: float) -> int | None:
    """Seconds that a message was old when it arrived, if that is more than `limit`; None for any other event.

    Everything else is always fresh: a status settles a send however late it comes, history is old by nature. So is
    what was redriven, on purpose.
    """
    if not _is_message(event):
        return None
    age = event.age()
    if age <= limit or is_redriven(source):
        return None
    return int(age)


def is_stale(record: Incoming) -> bool:
    """Whether the event of a record is not to be handled."""
    return has_header(record.headers, headers.STALE)


def _is_message(event: WireEvent) -> bool:
    """Also one of a type that has no model yet."""
    return event.kind == "message" or (event.kind == "unknown" and str(event.get("event_type")).startswith("message."))
