"""Whatever is posted to the HTTP API is sent or refused with its reason, and the worker says the same as the door."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.handlers.api.paths import PATHS, dry_run, execute
from pipeline.handlers.context import activate
from pipeline.handlers.results import SendResult
from pipeline.handlers.unit_of_work import UnitOfWork
from pipeline.state import MemoryStore
from pipeline.testing import TestRecord, api_message
from pipeline.topics.codec import decode_command, encode_command
from pipeline.topics.commands import Command
from pipeline.topics.events import APIMessageEvent
from tests.support.send_api import USER
from tests.unit.handlers.api.test_send_api_paths import CASES

FIELDS = sorted({name for call in PATHS.values() for name in call.body.model_fields} | {"type", "id", "link", "text"})
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS
    | st.text(max_size=30)
    | st.sampled_from(["text", "image", "utility", "authentication", "https://x.example"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner),
    max_leaves=8,
)


@st.composite
def payloads(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A body that is right but for a few of its parts, at any depth."""
    path, good, *_ = draw(st.sampled_from(CASES))
    body = {"recipient": USER} | orjson.loads(orjson.dumps(good))
    for _ in range(draw(st.integers(1, 2))):
        _change(draw, body)
    return path, body


def _change(draw: st.DrawFn, body: dict[str, Any]) -> None:
    name = draw(st.sampled_from(sorted(body)) | st.sampled_from(FIELDS)) if body else draw(st.sampled_from(FIELDS))
    inner = body.get(name)
    inner = inner[0] if isinstance(inner, list) and inner else inner
    if isinstance(inner, dict) and draw(st.booleans()):
        _change(draw, inner)
    elif draw(st.integers(0, 3)):
        body[name] = draw(VALUES)
    else:
        body.pop(name, None)


def _held(event: APIMessageEvent) -> tuple[SendResult, list[Command]]:
    unit = UnitOfWork(MemoryStore(), event.tenant_id, event.event_id)

    async def main() -> SendResult:
        with activate(event, unit):
            result = await dry_run(event)
            if result.success:
                await execute(event)
            return result

    return asyncio.run(main()), unit.commands


@given(payloads())
def test_it_is_queued_as_a_command_that_travels_or_refused_in_one_line(given: tuple[str, dict[str, Any]]) -> None:
    """A caller would read of an internal error, or be told 200 for what ends as a dead letter."""
    path, payload = given
    payload = orjson.loads(orjson.dumps(payload))
    event = api_message(path, **payload)
    result, commands = _held(event)
    if not result.success:
        assert result.error and not commands
        return
    assert result.message_id == event.message_id == commands[0].command_id
    record = encode_command(commands[0])
    assert decode_command(TestRecord.of(record)) == commands[0]
