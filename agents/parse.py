"""parse: a webhook, as its provider sent it, or a send by the HTTP API → every event in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.errors import InvalidRecord
from pipeline.providers.api import API, Api
from pipeline.providers.base import Provider
from pipeline.providers.limits import proportionate
from pipeline.runtime import Stage, StageContext
from pipeline.topics.events.wire import WireEvent
from pipeline.topics.headers import PROVIDER
from pipeline.topics.records import Incoming


def parse(providers: Mapping[str, Provider]) -> Stage:
    sources: dict[str, Provider | Api] = {**providers, API.name: API}
    named = {name.encode(): source for name, source in sources.items()}

    def events(record: Incoming, _: StageContext) -> Iterable[WireEvent]:
        for name, value in record.headers:
            if name == PROVIDER and value in named:
                found = named[value].parse(record)
                return found if type(found) is tuple else proportionate(found, len(record.value or b""))
        raise InvalidRecord("the record names no provider that there is")

    return Stage("parse", events)
