"""Asks all workers for their parked records: `GET /parked` of their health servers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from aiohttp import ClientSession

from pipeline.lag.workers import NoAnswer, ask_each, read
from pipeline.masking import masker

PAGE = 1_000
"""Queues of one page."""


class ParkedKey(NamedTuple):
    """The parked records of one key, as a worker says.

    Attributes:
        key: masked, unless it was asked for as it is.
        bytes: bytes of the records in the worker's table.
        oldest_seconds: age of the oldest record; None: unknown.
        loaded: those of the records that are in memory, and are worked on or about to be.
        held_seconds: seconds until a record is tried again; None: nothing holds them.
        cause: error that holds them.
    """

    app: str
    topic: str
    partition: int
    tenant: str
    key: str
    records: int
    bytes: int = 0
    oldest_seconds: float | None = None
    loaded: int = 0
    held_seconds: float | None = None
    cause: str = ""


@dataclass(slots=True)
class ParkedReport:
    """The parked records of all workers that were asked.

    Attributes:
        queues: the oldest first.
        silent: addresses without a usable answer, each with the reason.
    """

    queues: list[ParkedKey] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)


async def find_parked(
    urls: Collection[str], app: str | None = None, tenant: str | None = None, *, reveal: bool = False
) -> ParkedReport:
    """Ask all workers for their queues, of one app or tenant if these are given. Raises nothing."""
    found: dict[tuple[str, str, int, str, str], ParkedKey] = {}
    wanted = {name: value for name, value in (("app", app), ("tenant", tenant)) if value is not None}
    headers = {"Authorization": f"Bearer {masker().proof()}"} if reveal else {}
    query = {**wanted, "limit": str(PAGE), **({"reveal": "1"} if reveal else {})}

    async def ask(session: ClientSession, url: str) -> None:
        cursor: dict[str, str] = {}
        while True:
            body = await read(session, f"{url}/parked", 403, params={**query, **cursor}, headers=headers)
            queues, after = _parse(body)
            for queue in queues:  # while a partition moves, two workers may name it
                found[queue[:5]] = queue
            if after is None:
                return
            cursor = {"cursor": after}

    silent = await ask_each(urls, ask)
    return ParkedReport(sorted(found.values(), key=_age, reverse=True), silent)


def _age(queue: ParkedKey) -> tuple[float, int]:
    return queue.oldest_seconds or 0.0, queue.records


def _parse(body: bytes) -> tuple[list[ParkedKey], str | None]:
    """Parse a page. Fields that this version does not know are ignored, and missing ones have their defaults.

    Raises `NoAnswer` for a refusal, and `TypeError`, `ValueError` or `LookupError` for another format.
    """
    answer: Mapping[str, Any] = orjson.loads(body)
    if "error" in answer:
        raise NoAnswer(str(answer["error"]))
    return [_queue(fields) for fields in answer["queues"]], answer["next"]


def _queue(fields: Mapping[str, Any]) -> ParkedKey:
    queue = ParkedKey(**{name: value for name, value in fields.items() if name in ParkedKey._fields})
    numbers = (queue.partition, queue.records, queue.bytes, queue.oldest_seconds or 0, queue.held_seconds or 0)
    if not all(isinstance(number, int | float) for number in numbers):
        raise ValueError("a field is no number")
    return queue
