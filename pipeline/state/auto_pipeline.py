"""Commands that are asked for at the same moment go to Redis together and come back together.

A worker handles a hundred conversations at once, each with a few small commands. One by one they would cost a system
call, a connection and half of the processor's time each; together they share a round trip. The smallest ones, which do
the same to one key each, share a command too.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.typing import EncodableT


class KeyCommand(NamedTuple):
    """A command that does the same to each of its keys and answers with a list, one answer a key.

    Attributes:
        slot: what all of its keys have in common, so that Redis Cluster runs it.
        script: a Lua script, and its arguments behind the keys; without one the command is MGET.
    """

    slot: str
    script: str = ""
    arguments: tuple[EncodableT, ...] = ()

    def with_keys(self, keys: Sequence[str]) -> tuple[EncodableT, ...]:
        return ("EVAL", self.script, len(keys), *keys, *self.arguments) if self.script else ("MGET", *keys)


class _Asked(NamedTuple):
    """`command` is a whole one, or one that is shared, with one of its keys."""

    command: tuple[EncodableT, ...] | KeyCommand
    answer: asyncio.Future[Any]
    key: str = ""


class AutoPipeline:
    """Sends commands in pipelines, one pipeline after the other.

    Args:
        size: most commands in one pipeline.
        timeout: seconds for a whole round trip; when it is over everything in it fails with `TimeoutError`.
    """

    def __init__(self, client: Redis, *, size: int = 256, timeout: float = 5.0) -> None:
        self._client = client
        self._size = size
        self._timeout = timeout
        self._waiting: list[_Asked] = []
        self._travelling: asyncio.Task[None] | None = None

    async def execute(self, *command: EncodableT) -> Any:
        """The answer to one command. Raises Redis' errors. A caller that stops waiting does not stop the command."""
        return await self._enqueue(_Asked(command, asyncio.get_running_loop().create_future()))

    async def execute_for_key(self, command: KeyCommand, key: str) -> Any:
        """What `command` answers for one key. Those that ask the same at the same moment share it."""
        return await self._enqueue(_Asked(command, asyncio.get_running_loop().create_future(), key))

    async def close(self) -> None:
        """Lets what is under way end."""
        if self._travelling:
            await asyncio.wait([self._travelling], timeout=self._timeout)

    def _enqueue(self, asked: _Asked) -> asyncio.Future[Any]:
        self._waiting.append(asked)
        if self._travelling is None:
            self._travelling = asyncio.create_task(self._travel())
        return asked.answer

    async def _travel(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
                await self._trip(batch)
        finally:
            self._travelling = None

    async def _trip(self, batch: list[_Asked]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        alone, together = _sorted(batch)
        for asked in alone:
            pipeline.execute_command(*asked.command)
        for command, sharing in together.items():
            pipeline.execute_command(*command.with_keys([asked.key for asked in sharing]))
        try:
            async with asyncio.timeout(self._timeout):
                answers = await pipeline.execute(raise_on_error=False)
        except BaseException as error:
            _fail(batch, error)
            if not isinstance(error, Exception):
                raise
        else:
            _answer(alone, answers[: len(alone)])
            for sharing, answer in zip(together.values(), answers[len(alone) :], strict=True):
                _answer(sharing, [answer] * len(sharing) if isinstance(answer, Exception) else answer)


def _sorted(batch: list[_Asked]) -> tuple[list[_Asked], dict[KeyCommand, list[_Asked]]]:
    """Those with a command of their own, and those who share one."""
    alone: list[_Asked] = []
    together: dict[KeyCommand, list[_Asked]] = defaultdict(list)
    for asked in batch:
        (together[asked.command] if isinstance(asked.command, KeyCommand) else alone).append(asked)
    return alone, together


def _answer(batch: list[_Asked], answers: list[Any]) -> None:
    for asked, answer in zip(batch, answers, strict=True):
        if asked.answer.done():
            continue
        if isinstance(answer, Exception):
            asked.answer.set_exception(answer)
        else:
            asked.answer.set_result(answer)


def _fail(batch: list[_Asked], error: BaseException) -> None:
    for asked in batch:
        if asked.answer.done():
            continue
        if isinstance(error, Exception):
            asked.answer.set_exception(error)
        else:
            asked.answer.cancel()
