"""Measurements in this process: the lower bound, and this pipeline's parsing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from bench import webhooks
from bench.parse.floor import WEBHOOK
from pipeline.providers import CLOUD
from pipeline.testing import TestRecord
from pipeline.topics.catalogue import RAW
from pipeline.topics.events import decode
from pipeline.topics.events.wire import ParsedEvent

_HEADERS: Final = tuple(webhooks.record(0, RAW.name).headers)


def loaded(body: bytes) -> object:
    return orjson.loads(body)


def floor(body: bytes) -> object:
    return WEBHOOK.validate_python(orjson.loads(body))


def parsed(body: bytes) -> list[ParsedEvent]:
    """As the stage does it, from the record's bytes to events that are ready to be written."""
    return list(CLOUD.parse(TestRecord(body, headers=_HEADERS)))


def handed_over(body: bytes) -> list[Any]:
    """Also what a handler's worker does: the event from the bytes of its topic, as a model."""
    return [decode(TestRecord(event.encode("acme"))) for event in CLOUD.parse(TestRecord(body, headers=_HEADERS))]


LOADS: Final = "orjson.loads"
FLOOR: Final = "orjson.loads and one pydantic validation"
PARSED: Final = "this pipeline: parse"
HANDED_OVER: Final = "this pipeline: parse, write, read as a model"

CANDIDATES: Final[Mapping[str, Callable[[bytes], object]]] = MappingProxyType(
    {LOADS: loaded, FLOOR: floor, PARSED: parsed, HANDED_OVER: handed_over}
)
