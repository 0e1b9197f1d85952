"""Verify the output of a candidate."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bench import webhooks
from bench.broker import counted
from pipeline.errors import PipelineError
from pipeline.topics import headers
from pipeline.topics.catalogue import INTAKE, SEEN, events

OUTPUT = events("default").name
CHANGELOG = f"{INTAKE}-{SEEN}-changelog"


async def verify(bootstrap: str, candidate: str, records: int, *, chain: bool) -> None:
    """Raise `PipelineError` unless each of the `records` webhooks is on the output topic exactly once.

    Of a candidate that runs the chain, outputs are events and each is marked in the changelog, once.
    """
    name = _event_id if chain else _webhook
    wanted = {webhooks.event_id(number) if chain else b"%d" % number for number in range(records)}
    _require(f"{candidate}: events", await counted(bootstrap, OUTPUT, name), wanted)
    if chain:
        _require(f"{candidate}: marks", await counted(bootstrap, CHANGELOG, lambda record: bytes(record.key)), wanted)


def _require(what: str, found: Counter[bytes | None], wanted: set[bytes]) -> None:
    missing, strange = len(wanted - found.keys()), len(found.keys() - wanted)
    twice = sum(1 for count in found.values() if count > 1)
    if missing or strange or twice:
        raise PipelineError(f"{what}: {missing:,} missing, {twice:,} twice, {strange:,} that nobody sent")


def _event_id(record: Any) -> bytes | None:
    return next((value for name, value in record.headers if name == headers.EVENT_ID), None)


def _webhook(record: Any) -> bytes | None:
    number = webhooks.number_in(record.value)
    return None if number is None else b"%d" % number
