"""Posts inputs to the ingress, many at once, each until it is answered otherwise than 503."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from yarl import URL

from chaos.fuzz.inputs import Input

AT_ONCE: Final = 24
PATIENCE: Final = 120.0
"""Seconds in which an input must be answered otherwise than 503 or not at all."""
_CHUNK: Final = 64 * 1024


class Door:
    """Posts inputs to the ingress, and keeps its answers.

    Attributes:
        taken: the kind of input by mark, for inputs that got 200.
        refused: the kind of input by mark, for inputs that got another status.
        answers: number of inputs by kind and status; `none` for no response. Responses with 503 are not counted.
        busy: number of responses with 503.
        wrong: inputs with an unexpected status, one line each.
    """

    def __init__(self, ingress_url: str) -> None:
        self._url = ingress_url
        self.taken: dict[bytes, str] = {}
        self.refused: dict[bytes, str] = {}
        self.answers: Counter[tuple[str, str]] = Counter()
        self.busy = 0
        self.wrong: list[str] = []

    @property
    def posted(self) -> int:
        return sum(self.answers.values())

    async def post(self, inputs: Iterator[Input]) -> None:
        """Return when every input was answered."""
        connector = TCPConnector(limit=AT_ONCE)
        self._session = ClientSession(connector=connector, timeout=ClientTimeout(total=60))
        async with self._session, asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(self._work(inputs))

    async def _work(self, inputs: Iterator[Input]) -> None:
        for given in inputs:
            self._note(given, await self._answered(given))

    def _note(self, given: Input, answer: str) -> None:
        self.answers[given.kind, answer] += 1
        (self.taken if answer == "200" else self.refused).update(dict.fromkeys(given.marks, given.kind))
        if answer not in {str(status) for status in given.answers}:
            self.wrong.append(f"{given.kind} {given.marks[0].decode()}: {answer}, not {sorted(given.answers)}")

    async def _answered(self, given: Input) -> str:
        until = time.monotonic() + PATIENCE
        while (answer := await self._try(given)) in ("503", "none") and time.monotonic() < until:
            self.busy += answer == "503"
            await asyncio.sleep(0.5)
        return answer

    async def _try(self, given: Input) -> str:
        body = _chunks(given.body) if given.chunked else given.body
        url = URL(self._url + given.path, encoded=True)
        try:
            async with self._session.request(given.method, url, data=body, headers=given.headers) as response:
                await response.read()
                return str(response.status)
        except (ClientError, OSError):
            return "none"


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _CHUNK):
        yield body[start : start + _CHUNK]
