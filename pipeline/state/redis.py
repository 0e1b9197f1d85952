"""The store that workers share: Redis, a hash per row, a field per top-level key."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import TimeoutError as TimedOut
from redis.typing import EncodableT

from pipeline.errors import BackendUnavailable, ConfigurationError, Conflict
from pipeline.state.auto_pipeline import AutoPipeline, KeyCommand
from pipeline.state.change import CHANGED, NOT_A_COUNTER, NOT_A_LIST, RowChange
from pipeline.state.encoding import Fields
from pipeline.state.lua_commit import COMMIT, COMMIT_SHA, EXPIRE, RECORD, Argument, parse_reply, script_arguments
from pipeline.state.replication import Replication
from pipeline.state.store import Committed, Store, UnitRecord

_CONFLICTS: Final = {"not a counter": NOT_A_COUNTER, "not a list": NOT_A_LIST, "changed": CHANGED}

_TEMPORARY_ERRORS: Final = (OutOfMemoryError, ReadOnlyError, ClusterDownError, TryAgainError)
_TEMPORARY_PREFIXES: Final = ("BUSY ", "MISCONF ", "NOREPLICAS ")
"""Beginnings of the errors of a full, unsaved or failing-over Redis: the record waits until it is back."""


class RedisStore(Store):
    """Rows in Redis.

    Nothing is retried inside: a commit whose reply was lost may have happened, and only the caller, who finds the
    event's
    record afterwards, can tell.

    Args:
        url: `redis://…`, `rediss://…` or `unix://…`.
        timeout: seconds for connecting and for a round trip.
        replicas: number of replicas that must have an event's rows and its record before its commit returns.
    """

    def __init__(self, url: str, *, timeout: float = 5.0, replicas: int = 0) -> None:
        self._client = _client(url, timeout)
        self._pipeline = AutoPipeline(self._client, timeout=timeout)
        self._replicas = replicas
        self._replication = Replication(self._client, replicas, timeout)

    async def row(self, key: str) -> Fields | None:
        """Return all fields of the row; None if there is no row."""
        found: dict[bytes, bytes] = await self._ask("HGETALL", key)
        return {name.decode(): value for name, value in found.items()} or None

    async def field(self, key: str, name: str) -> bytes | None:
        """Return one field; None if there is none."""
        value: bytes | None = await self._ask("HGET", key, name)
        return value

    async def exists(self, key: str) -> bool:
        """Return True if the row exists."""
        return bool(await self._ask("EXISTS", key))

    async def ttl(self, key: str) -> int:
        """Return the seconds left; `NO_EXPIRY` for a row that never expires, `MISSING` if there is none."""
        seconds: int = await self._ask("TTL", key)
        return seconds

    async def recorded(self, key: str) -> bytes | None:
        """Return the content of the `UnitRecord` under `key`; None if there is none."""
        content: bytes | None = await self._ask_for_key(KeyCommand(_slot(key)), key)
        if content is not None:  # its writer may have died before the replicas had it
            await self._wait_for_replicas()
        return content

    async def keys(self, group: str) -> list[str]:
        """Return the names of a group's rows, sorted."""
        names = [name.decode() for name in await self._ask("ZRANGE", group, 0, -1)]
        there = await asyncio.gather(*(self.exists(name) for name in names))
        return sorted(name for name, exists in zip(names, there, strict=True) if exists)

    async def commit(self, changes: Sequence[RowChange], record: UnitRecord | None = None) -> Committed:
        """Apply all changes and store the record in one step, as `Store.commit` says."""
        committed = await self._commit(changes, record)
        await self._wait_for_replicas()
        return committed

    async def _commit(self, changes: Sequence[RowChange], record: UnitRecord | None) -> Committed:
        if record and not changes:
            return await self._record(record)
        keys, argv = script_arguments(changes, record)
        result = parse_reply(await self._run(len(keys), *keys, *argv))
        if isinstance(result, str):
            raise Conflict(_CONFLICTS[result])
        return result

    async def expire_records(self, keys: Sequence[str], ttl: int) -> None:
        """Let the records of one tenant under these keys expire in `ttl` seconds. Missing ones are skipped."""
        await self._ask("EVAL", EXPIRE, len(keys), *keys, ttl)

    async def ping(self) -> None:
        """Return when Redis answers."""
        await self._ask("PING")

    async def close(self) -> None:
        """Wait for the pipeline in flight and close the connections."""
        await self._pipeline.close()
        await self._client.aclose()

    async def _record(self, record: UnitRecord) -> Committed:
        command = KeyCommand(_slot(record.key), RECORD, (record.ttl, record.content, record.replaces))
        return Committed((), await self._ask_for_key(command, record.key))

    async def _run(self, *arguments: Argument) -> list[object]:
        """Run the commit script. A Redis that does not know it has not run it, and is sent the whole script."""
        try:
            reply: list[object] = await self._ask("EVALSHA", COMMIT_SHA, *arguments)
        except NoScriptError:
            reply = await self._ask("EVAL", COMMIT, *arguments)
        return reply

    async def _wait_for_replicas(self) -> None:
        if self._replicas:
            with UNAVAILABLE:
                await self._replication.wait()

    async def _ask(self, *command: EncodableT) -> Any:
        with UNAVAILABLE:
            return await self._pipeline.execute(*command)

    async def _ask_for_key(self, command: KeyCommand, key: str) -> Any:
        with UNAVAILABLE:
            return await self._pipeline.execute_for_key(command, key)


class _Unavailable:
    """Raises `Unavailable`, which makes the runtime wait, for every way in which Redis can be away.

    It is a class, since a generator's context manager costs three times as much, and every command is inside one.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        if error is not None and (reason := _reason(error)):
            raise BackendUnavailable(f"Redis {reason} ({error})") from error


UNAVAILABLE: Final = _Unavailable()


def _reason(error: BaseException) -> str | None:
    """Return the reason for which Redis is away; None for an error that waiting does not solve."""
    if isinstance(error, NotConnected | TimedOut | TimeoutError):
        return "does not answer"
    if isinstance(error, RuntimeError):  # raised by uvloop for a write on a connection that has just been closed
        return "has closed the connection" if "handler is closed" in str(error) else None
    if isinstance(error, ResponseError):
        return (
            "refuses for now"
            if isinstance(error, _TEMPORARY_ERRORS) or str(error).startswith(_TEMPORARY_PREFIXES)
            else None
        )
    return None


def _slot(key: str) -> str:
    """Return the tenant's part of a key, by which Redis Cluster finds the slot."""
    return key.partition("}")[0]


def _client(url: str, timeout: float) -> Redis:
    try:
        return Redis.from_url(
            url,
            socket_connect_timeout=timeout,
            socket_timeout=None,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise ConfigurationError(f"PIPELINE_REDIS is not a Redis URL ({error}): write redis://host:port/0") from None
