"""parse ▸ deduplicate ▸ route in one plain agent: one hop, as ours is one."""

from __future__ import annotations

from typing import Any, cast

import faust

from bench.stock.app import Topics, raw_topic, stock_app
from pipeline.agents.parse import parse
from pipeline.agents.route import route
from pipeline.providers import PROVIDERS
from pipeline.runtime import StageContext
from pipeline.settings import Settings
from pipeline.tenants import Tenants
from pipeline.topics.catalogue import INTAKE, RAW, SEEN
from pipeline.topics.records import ConsumedRecord


def intake(settings: Settings, tenants: Tenants, source: str = RAW.name) -> faust.App:
    """Our own functions of parse and route, around Faust's table and Faust's send.

    `await topic.send()` waits until the record is buffered and not until it is acknowledged, as users of Faust
    write it: a record that the broker refuses is lost.
    """
    app = stock_app(INTAKE, settings)
    seen: Any = app.Table(SEEN, key_type=bytes, value_type=bytes, partitions=settings.partitions)
    topics = Topics(app)
    parsed, routed = parse(PROVIDERS).function, route(tenants).function

    async def run(stream: Any) -> None:
        async for event in stream.events():
            record = cast(ConsumedRecord, event.message)
            context = StageContext(record, {})
            for found in parsed(record, context):
                event_id = found.event_id.encode()
                if seen.get(event_id) is not None:
                    continue
                for output in routed(found, context):
                    await topics.send(output)
                seen[event_id] = b"%d:%d" % (record.partition, record.offset)

    app.agent(raw_topic(app, source), name=INTAKE)(run)
    return app
