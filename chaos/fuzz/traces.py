"""The traces of inputs: all marks on topics of events and dead letters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from aiokafka.structs import ConsumerRecord

from chaos.broker import DEAD_LETTERS, batches
from chaos.fuzz.inputs import MARK
from pipeline.topics import catalogue as topics
from pipeline.topics.headers import ERROR_TYPE, WEBHOOK_ID
from pipeline.topics.records import header


@dataclass
class Traces:
    """Attributes:
    events: marks that are in events; letters: in dead letters.
    event_count: how many events there are.
    reasons: how many dead letters each stage has, for which error.
    """

    events: set[bytes] = field(default_factory=set)
    letters: set[bytes] = field(default_factory=set)
    event_count: int = 0
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add_event(self, record: ConsumerRecord) -> None:
        self.event_count += 1
        self.events.update(_marks(record))

    def add_letter(self, record: ConsumerRecord) -> None:
        stage = record.topic.removeprefix("dead-letters.")
        self.reasons[stage, header(record.headers, ERROR_TYPE) or "?"] += 1
        self.letters.update(_marks(record))


async def gather(bootstrap: str) -> Traces:
    """Read all of it, once the stack has come to rest."""
    found = Traces()
    async for some in batches(bootstrap, [topics.events("default").name]):
        for record in some:
            found.add_event(record)
    async for some in batches(bootstrap, DEAD_LETTERS):
        for record in some:
            found.add_letter(record)
    return found


def _marks(record: ConsumerRecord) -> set[bytes]:
    webhook = header(record.headers, WEBHOOK_ID)
    return {*MARK.findall(record.value or b""), *([webhook.encode()] if webhook else [])}
