"""deduplicate: an event → the event, unless its id was seen before.

The id is written to the table after the event is acknowledged on its lane. A crash in between forwards the event twice,
with the same id, which the handlers recognize; it never loses one.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.metrics import DUPLICATES
from pipeline.runtime import Stage, StageContext
from pipeline.topics.catalogue import SEEN
from pipeline.topics.events.wire import ParsedEvent


def deduplicate() -> Stage:
    def once(event: ParsedEvent, context: StageContext) -> Iterable[ParsedEvent]:
        seen = context.table(SEEN)
        if seen.get(event.event_id) is not None:
            DUPLICATES.labels(event.provider).inc()
            return ()
        seen.put(event.event_id, b"%d:%d" % (context.record.partition, context.record.offset))
        return (event,)

    return Stage("deduplicate", once)
