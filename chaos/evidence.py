"""The evidence of a run: everything that can be counted, from all processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson
from aiokafka.structs import ConsumerRecord
from redis.asyncio import Redis

from chaos.accounts import NOISY, NUMBERS
from chaos.broker import DEAD_LETTERS, records
from chaos.handler import BLOCK, ROW, block
from chaos.sandbox_client import SandboxClient
from pipeline.errors import WorkerDied
from pipeline.state.keys import user_key
from pipeline.topics.catalogue import OUTCOMES
from pipeline.topics.events import MessageEvent, decode
from pipeline.topics.headers import ERROR_MESSAGE, ERROR_TYPE, ORIGIN_OFFSET, ORIGIN_PARTITION, ORIGIN_TOPIC
from pipeline.topics.records import header

Person = tuple[str, str]
"""A tenant and a phone number: whose row in Redis it is."""


class Effect(NamedTuple):
    """A message that the sandbox accepted: the answer to the `place`-th message of a contact."""

    account: str
    phone: str
    place: int
    command_id: str
    at: float


class Row(NamedTuple):
    """The row of one contact in Redis, as the handler writes it."""

    counted: int
    places: Sequence[int]


class Evidence(NamedTuple):
    """Attributes:
    effects: in the order in which the sandbox accepted them.
    outcomes: statuses of each command, without those that say that its message arrived.
    dead_letters: one line each, save for those in `given_up`.
    violations: one line each.
    given_up: ids of messages that are dead letters because their worker died of them.
    """

    effects: Sequence[Effect]
    rows: Mapping[Person, Row]
    outcomes: Mapping[str, Sequence[str]]
    dead_letters: Sequence[str]
    violations: Sequence[str]
    given_up: frozenset[str] = frozenset()


async def gather(bootstrap: str, redis_url: str | None, sandbox: SandboxClient) -> Evidence:
    """Return everything, read once the stack has come to rest. Without Redis there are no rows."""
    letters = await records(bootstrap, DEAD_LETTERS)
    given_up = [record for record in letters if header(record.headers, ERROR_TYPE) == WorkerDied.__name__]
    return Evidence(
        [_effect(row) for row in await sandbox.rows("sent")],
        await _rows(redis_url) if redis_url else {},
        _outcomes(await records(bootstrap, [OUTCOMES.name])),
        [_dead_letter(record) for record in letters if record not in given_up],
        [f"{row['limit']} of {row['account']}: {row['command_id']}" for row in await sandbox.rows("violations")],
        frozenset(_message_id(record) for record in given_up),
    )


def _effect(row: Mapping[str, Any]) -> Effect:
    return Effect(row["account"], row["to"], int(row["body"]["body"]), row["command_id"] or "", row["at"])


async def _rows(url: str) -> dict[Person, Row]:
    found: dict[Person, Row] = {}
    async with Redis.from_url(url) as client:
        for tenant in dict.fromkeys(number.tenant for number in (*NUMBERS, *NOISY)):
            async for key in client.scan_iter(user_key(tenant, "*", ROW).replace("%2A", "*"), count=1000):
                values = await client.hgetall(key)
                phone = key.decode().split(":")[2]
                found[tenant, phone] = _row(values)
    return found


def _row(values: Mapping[Any, Any]) -> Row:
    blocks = [values.get(block(number * BLOCK + 1).encode(), b"[]") for number in range(len(values))]
    return Row(int(values.get(b"count", 0)), [place for each in blocks for place in orjson.loads(each)])


_ARRIVED: Final = frozenset({"delivered", "read"})


def _outcomes(found: Sequence[ConsumerRecord]) -> dict[str, list[str]]:
    outcomes: dict[str, list[str]] = {}
    for record in found:
        content = orjson.loads(record.value)
        if content["status"] not in _ARRIVED:
            outcomes.setdefault(content["command_id"], []).append(content["status"])
    return outcomes


def _message_id(record: ConsumerRecord) -> str:
    event = decode(record)
    return event.message.message_id if isinstance(event, MessageEvent) else _dead_letter(record)


def _dead_letter(record: ConsumerRecord) -> str:
    names = (ERROR_TYPE, ERROR_MESSAGE, ORIGIN_TOPIC, ORIGIN_PARTITION, ORIGIN_OFFSET)
    kind, message, *origin = [header(record.headers, name) for name in names]
    return f"{record.topic}: {kind}: {message} ({'/'.join(part or '?' for part in origin)})"
