"""Records that nobody of ours has written, put on the topics of the workers: bytes for headers, no key, no value."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer

from chaos.fuzz import forms
from chaos.fuzz.inputs import mark
from chaos.fuzz.spoil import odd
from pipeline import aiokafka_patches
from pipeline.topics import catalogue, headers

KIND: Final = "stray record"
NUMBER: Final = 9_000_000
"""Of the first one: inputs have lower numbers."""
_TOPICS: Final = (catalogue.RAW.name, catalogue.events("default").name)
_NAMED: Final = (headers.PROVIDER, headers.ACCOUNT, headers.TENANT, headers.RECEIVED_AT, headers.TRACEPARENT, "x")
_BYTES: Final = (None, b"", b"\xff\xfe", b"\x00", b"\xed\xa0\xbd", b"cloud", b"wasender", b"api", "\u00e9".encode())


async def scatter(bootstrap: str, seed: int, count: int) -> Mapping[bytes, str]:
    """Publish them, and gives the mark of each: it must be in an event or in a dead letter."""
    marks: dict[bytes, str] = {}
    aiokafka_patches.install()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for number in range(count):
            rng, said = Random(f"{seed}:stray:{number}"), mark(NUMBER + number)  # noqa: S311 (replayable, no secret)
            await producer.send_and_wait(rng.choice(_TOPICS), **_record(said, rng))
            marks[said.encode()] = KIND
    finally:
        await producer.stop()
    return marks


def _record(said: str, rng: Random) -> dict[str, Any]:
    """Return its mark is its webhook's id, for it may have neither key nor value."""
    names = rng.sample(_NAMED, rng.randrange(len(_NAMED)))
    value = _value(said, rng)
    keys = (b"", b"\xff", b"cloud:1:2") if value is None else (None, b"", b"\xff")  # a producer wants one of them
    return {
        "key": rng.choice(keys),
        "value": value,
        "headers": [(headers.WEBHOOK_ID, said.encode()), *((name, rng.choice(_BYTES)) for name in names)],
    }


def _value(said: str, rng: Random) -> bytes | None:
    return rng.choice(
        (
            None,
            b"",
            b"\xff\x00",
            orjson.dumps(odd(said, rng)),
            orjson.dumps(forms.written(said)),
            orjson.dumps({"kind": "message", "version": 99, "message": odd(said, rng)}),
        )
    )
