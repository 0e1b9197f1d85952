"""parse: a webhook, as its provider sent it, or a send by the HTTP API → every event in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.errors import InvalidRecord
from pipeline.providers.api import SEND_API, SendApi
from pipeline.providers.base import Provider
from pipeline.providers.shared.size_limits import limit_events
from pipeline.runtime import Stage, StageContext
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.headers import PROVIDER
from pipeline.topics.records import ConsumedRecord


def parse(providers: Mapping[str, Provider]) -> Stage:
    sources: dict[str, Provider | SendApi] = {**providers, SEND_API.name: SEND_API}
    named = {name.encode(): source for name, source in sources.items()}

    def events(record: ConsumedRecord, _: StageContext) -> Iterable[ParsedEvent]:
        for name, value in record.headers:
            if name == PROVIDER and value in named:
                found = named[value].parse(record)
                return found if type(found) is tuple else limit_events(found, len(record.value or b""))
        raise InvalidRecord("the record names no provider that there is")

    return Stage("parse", events)
