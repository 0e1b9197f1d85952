"""Commands that are asked for at the same moment go to Redis together and come back together.

A worker handles a hundred conversations at once, each with a few small commands. One by one they would cost a system
call, a connection and half of the processor's time each; together they share a round trip.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.typing import EncodableT


class _Asked(NamedTuple):
    command: tuple[EncodableT, ...]
    answer: asyncio.Future[Any]


class RoundTrips:
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

    async def ask(self, *command: EncodableT) -> Any:
        """The answer to one command. Raises Redis' errors. A caller that stops waiting does not stop the command."""
        asked = _Asked(command, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._travelling is None:
            self._travelling = asyncio.create_task(self._travel())
        return await asked.answer

    async def close(self) -> None:
        """Lets what is under way end."""
        if self._travelling:
            await asyncio.wait([self._travelling], timeout=self._timeout)

    async def _travel(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
                await self._trip(batch)
        finally:
            self._travelling = None

    async def _trip(self, batch: list[_Asked]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for asked in batch:
            pipeline.execute_command(*asked.command)
        try:
            async with asyncio.timeout(self._timeout):
                answers = await pipeline.execute(raise_on_error=False)
        except BaseException as error:
            _fail(batch, error)
            if not isinstance(error, Exception):
                raise
        else:
            _answer(batch, answers)


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
