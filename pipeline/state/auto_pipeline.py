"""Batches concurrent commands: they go to Redis together and come back together.

A worker handles a hundred conversations at once, each with a few small commands. One by one each would cost a system
call, a connection and CPU time; together they share a round trip. The smallest ones, which do the same to one key each,
share a command too.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.typing import EncodableT


class KeyCommand(NamedTuple):
    """A command that does the same to each of its keys and answers with a list, one answer per key.

    Attributes:
        slot: the common part of its keys, so that Redis Cluster runs it.
        script: a Lua script; without one the command is MGET.
        arguments: the script's arguments after the keys.
    """

    slot: str
    script: str = ""
    arguments: tuple[EncodableT, ...] = ()

    def with_keys(self, keys: Sequence[str]) -> tuple[EncodableT, ...]:
        """Return the whole command for these keys."""
        return ("EVAL", self.script, len(keys), *keys, *self.arguments) if self.script else ("MGET", *keys)


class _QueuedCommand(NamedTuple):
    """A queued command: a whole one, or one that is shared, with one of its keys."""

    command: tuple[EncodableT, ...] | KeyCommand
    answer: asyncio.Future[Any]
    key: str = ""


class AutoPipeline:
    """Sends commands in pipelines, one pipeline after the other.

    Args:
        client: the connection.
        size: maximum number of commands in one pipeline.
        timeout: seconds for a whole round trip; after it everything in it fails with `TimeoutError`.
    """

    def __init__(self, client: Redis, *, size: int = 256, timeout: float = 5.0) -> None:
        self._client = client
        self._size = size
        self._timeout = timeout
        self._waiting: list[_QueuedCommand] = []
        self._in_flight: asyncio.Task[None] | None = None

    async def execute(self, *command: EncodableT) -> Any:
        """Return the answer to one command. Raises Redis' errors. Cancelling the caller does not stop the command."""
        return await self._enqueue(_QueuedCommand(command, asyncio.get_running_loop().create_future()))

    async def execute_for_key(self, command: KeyCommand, key: str) -> Any:
        """Return the answer of `command` for one key. Concurrent callers with the same command share it."""
        return await self._enqueue(_QueuedCommand(command, asyncio.get_running_loop().create_future(), key))

    async def close(self) -> None:
        """Wait until the pipeline in flight ends."""
        if self._in_flight:
            await asyncio.wait([self._in_flight], timeout=self._timeout)

    def _enqueue(self, queued: _QueuedCommand) -> asyncio.Future[Any]:
        self._waiting.append(queued)
        if self._in_flight is None:
            self._in_flight = asyncio.create_task(self._send_all())
        return queued.answer

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
                await self._send_batch(batch)
        finally:
            self._in_flight = None

    async def _send_batch(self, batch: list[_QueuedCommand]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        alone, together = _sorted(batch)
        for queued in alone:
            pipeline.execute_command(*queued.command)
        for command, sharing in together.items():
            pipeline.execute_command(*command.with_keys([queued.key for queued in sharing]))
        try:
            async with asyncio.timeout(self._timeout):
                answers = await pipeline.execute(raise_on_error=False)
        except BaseException as error:
            _fail(batch, error)
            if not isinstance(error, Exception):
                raise
        else:
            _resolve(alone, answers[: len(alone)])
            for sharing, answer in zip(together.values(), answers[len(alone) :], strict=True):
                _resolve(sharing, [answer] * len(sharing) if isinstance(answer, Exception) else answer)


def _sorted(batch: list[_QueuedCommand]) -> tuple[list[_QueuedCommand], dict[KeyCommand, list[_QueuedCommand]]]:
    """Split a batch into whole commands and shared ones."""
    alone: list[_QueuedCommand] = []
    together: dict[KeyCommand, list[_QueuedCommand]] = defaultdict(list)
    for queued in batch:
        (together[queued.command] if isinstance(queued.command, KeyCommand) else alone).append(queued)
    return alone, together


def _resolve(batch: list[_QueuedCommand], answers: list[Any]) -> None:
    for queued, answer in zip(batch, answers, strict=True):
        if queued.answer.done():
            continue
        if isinstance(answer, Exception):
            queued.answer.set_exception(answer)
        else:
            queued.answer.set_result(answer)


def _fail(batch: list[_QueuedCommand], error: BaseException) -> None:
    for queued in batch:
        if queued.answer.done():
            continue
        if isinstance(error, Exception):
            queued.answer.set_exception(error)
        else:
            queued.answer.cancel()
