"""Whatever lies on a topic: an invalid record is a dead letter, its flow goes on, and its headers survive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson
import pytest
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.agents.deduplicate import deduplicate
from pipeline.agents.handle import handle
from pipeline.agents.parse import parse
from pipeline.agents.receive import receive
from pipeline.agents.route import route
from pipeline.agents.send import send
from pipeline.backoff import STAGE_RETRIES, RetryPolicy
from pipeline.errors import NewerRecord
from pipeline.providers import PROVIDERS
from pipeline.runtime.flows.breaker import Breaker, BreakerConfig
from pipeline.runtime.flows.chain import Chain
from pipeline.runtime.flows.dead_letters import is_dead_letter
from pipeline.runtime.flows.stage import ConcurrentStage, Stage
from pipeline.runtime.kafka.accumulator import RecordAccumulator
from pipeline.runtime.tables.tables import Tables
from pipeline.testing import TestRecord
from pipeline.testing.memory_flows import MemoryTable
from pipeline.topics import dead_letters, headers
from pipeline.topics.catalogue import SEEN, SENT
from pipeline.topics.records import Header, Output, header
from pipeline.topics.versions import require_readable
from tests.support.cloud_webhooks import NUMBER, contact, tenants, text, value, webhook
from tests.support.loop_stand_ins import TP0, FakeApp, until
from tests.support.waiting import HANG

NAMES: Final = sorted({each for name, each in vars(headers).items() if isinstance(each, str) and name.isupper()})
VALUES = st.none() | st.binary(max_size=6) | st.sampled_from([b"cloud", b"wasender", b"waha", b"api", b"acme", b"\xff"])
READ: Final = [headers.PROVIDER, headers.TENANT, headers.ACCOUNT, headers.RECEIVED_AT]
OTHERS = st.lists(st.tuples(st.sampled_from(READ) | st.sampled_from(NAMES) | st.text(max_size=4), VALUES), max_size=6)


def _is_readable(found: Iterable[Any]) -> bool:
    """Return False for a record of a newer version: it is valid, and waits for a worker that reads it."""
    try:
        require_readable(TestRecord(b"", None, tuple(found)))
    except NewerRecord:
        return False
    return True


HEADERS = (OTHERS | OTHERS.map(lambda rest: [(headers.PROVIDER, b"cloud"), *rest])).filter(_is_readable)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
GOOD: Final = orjson.dumps(webhook(value(contacts=[contact()], messages=[text("wamid.1")])))
CONTENTS = st.none() | st.binary(max_size=9) | JSON.map(lambda found: json.dumps(found).encode()) | st.just(GOOD)
KEYS = st.none() | st.binary(max_size=4)
TRIPS: Final = BreakerConfig(consecutive=1, failure_rate=0.01, min_samples=1)
"""A breaker that opens at the first failure that counts."""

CHAINS: Final[dict[str, Sequence[Stage]]] = {
    "intake": (parse(PROVIDERS), deduplicate(), route(tenants())),
    "receipts": (receive(),),
}
NEVER: Any = None
"""In the place of what does the work: no invalid record comes so far."""
CONCURRENT: Final[dict[str, ConcurrentStage]] = {"handle": handle(NEVER, 10), "send": send(NEVER)}

many = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def _record(key: bytes | None, content: bytes | None, found: Iterable[Any], offset: int = 0) -> TestRecord:
    return TestRecord(content, key, tuple(found), "in", 0, offset)


def _tables(*names: str) -> Tables:
    return Tables({name: MemoryTable() for name in names})


@pytest.mark.parametrize("name", CHAINS)
@many
@given(KEYS, CONTENTS, HEADERS)
def test_no_record_stops_a_chain(name: str, key: bytes | None, content: bytes | None, found: list[Header]) -> None:
    """One record that anybody wrote to a topic would open the breaker, and everybody's messages would wait."""
    breaker, outputs = Breaker(TRIPS), list[Output]()
    chain = Chain(CHAINS[name], _tables(SEEN, SENT), STAGE_RETRIES, breaker)
    record = _record(key, content, found)
    result = chain.run(0, [record], outputs)
    assert not breaker.open
    assert not result.pending
    for made, _ in outputs:
        if is_dead_letter(made):
            assert list(made.headers[: len(found)]) == found
            assert made.value == (content or b"")


def _letters(stage: ConcurrentStage, records: Sequence[TestRecord], breaker: Breaker) -> list[Output]:
    """What a loop has published when it is through with all records."""
    published: list[Output] = []

    async def run() -> None:
        app = FakeApp()
        app.publisher.outputs = published
        loop = app.concurrent(stage, breaker)
        running = asyncio.ensure_future(loop.run())
        loop.buffer.add(TP0, list(records))
        try:
            async with asyncio.timeout(HANG):
                await until(lambda: app.assignment.positions.get(TP0) == len(records))
        finally:
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(run())
    return published


@pytest.mark.parametrize("name", CONCURRENT)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(KEYS, CONTENTS, HEADERS), min_size=1, max_size=5))
def test_no_record_stops_a_loop(name: str, made: list[tuple[Any, Any, list[Header]]]) -> None:
    """An event or a command of a form that nobody reads would stop its lane, or end its worker."""
    breaker = Breaker(TRIPS)
    records = [_record(*each, offset=offset) for offset, each in enumerate(made)]
    published = _letters(CONCURRENT[name], records, breaker)
    assert not breaker.open
    assert [record.topic for record, _ in published] == [f"dead-letters.{name}"] * len(records)
    for (letter, source), record in zip(published, records, strict=True):
        assert source is record
        assert list(letter.headers[: len(record.headers)]) == list(record.headers)


@given(KEYS, CONTENTS, HEADERS)
def test_a_letter_gives_back_what_failed(key: bytes | None, content: bytes | None, found: list[Any]) -> None:
    """A redriven record would have other headers than the one that failed."""
    outputs: list[Output] = []
    _failing().run(0, [_record(key, content, found, offset=7)], outputs)
    kept = _through_kafka(outputs)
    letter = dead_letters.parse_dead_letter(
        TestRecord(kept.value, kept.key, tuple(kept.headers), outputs[0][0].topic, 2, 5)
    )
    assert isinstance(letter, dead_letters.DeadLetter)
    assert (letter.key, letter.value, letter.headers) == (key or b"", content or b"", found)
    assert letter.tenant == header(found, headers.TENANT)
    assert (letter.original().headers, letter.origin_offset) == (found, 7)


def _failing() -> Chain:
    def fail(_: Any, __: Any) -> Any:
        raise ValueError("odd \ud83d")

    return Chain((Stage("odd", fail),), Tables(), RetryPolicy(max_attempts=1))


def _through_kafka(outputs: list[Output]) -> Any:
    """The record as a consumer reads it."""
    draft = RecordAccumulator({"dead-letters.odd": 1}, 0, {})
    draft.extend(outputs)
    (line,) = draft.partition_batches
    (record,) = MemoryRecords(bytes(line.batches[0]._build())).next_batch()
    return record


def test_a_header_of_any_bytes_is_read() -> None:
    """An account that is not UTF-8 would stop the intake for everybody, and the list of dead letters too."""
    found: Any = [("account", b"\xff\\"), ("tenant", None)]
    assert header(found, "account") == r"\xff\\"[:-1]
    assert header(found, "tenant") is None


@pytest.mark.parametrize("name", [headers.TENANT, headers.ACCOUNT, headers.WEBHOOK_ID, headers.TRACEPARENT])
@pytest.mark.parametrize("provider", [b"cloud", b"wasender", b"waha", b"wawp", b"api"])
def test_an_odd_header_never_becomes_somebodys(name: str, provider: bytes) -> None:
    """A record with a damaged header would be handled as a tenant's that it is not."""
    outputs: list[Output] = []
    chain = Chain(CHAINS["intake"], _tables(SEEN), STAGE_RETRIES)
    chain.run(0, [_record(b"k", GOOD, [(headers.PROVIDER, provider), (name, b"\xff\xfe")])], outputs)
    topics = [record.topic for record, _ in outputs]
    harmless = name in (headers.WEBHOOK_ID, headers.TRACEPARENT, headers.ACCOUNT) and provider == b"cloud"
    assert topics[0].startswith("events." if harmless else "dead-letters.")
    assert NUMBER in outputs[0][0].value.decode()
