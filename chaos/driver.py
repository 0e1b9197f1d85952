"""Posts the traffic as a platform would: signed, again until it is taken, in order for each contact and not between."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from chaos.traffic import Posting
from chaos.webhooks import Contact, Message, signed, webhook

TIMEOUT: Final = ClientTimeout(total=10)
CONNECTIONS: Final = 128
_BACKOFF: Final = (0.1, 0.2, 0.5, 1.0)


class Driver:
    """Drives one run.

    Attributes:
        accepted: when each message was first acknowledged with a 200, in seconds since the epoch.
        answers: how many posts had each answer; `none` for no answer at all.
        webhooks: how many different ones were acknowledged.
        copies: how many came again.
    """

    def __init__(self, ingress_url: str) -> None:
        self._url = f"{ingress_url}/webhooks/cloud"
        self._last: dict[Contact, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.accepted: dict[Message, float] = {}
        self.answers: Counter[str] = Counter()
        self.webhooks = 0
        self.copies = 0

    async def drive(self, traffic: Iterable[Posting]) -> None:
        """Return when every webhook was taken."""
        connector = TCPConnector(limit=CONNECTIONS, keepalive_timeout=3)
        async with ClientSession(timeout=TIMEOUT, connector=connector) as self._session:
            started = time.monotonic()
            for posting in traffic:
                await asyncio.sleep(max(0, started + posting.at - time.monotonic()))
                self._start(posting)
            while self._tasks:
                await asyncio.wait(self._tasks)
                await asyncio.sleep(0)

    @property
    def waiting(self) -> int:
        """Webhooks that are to be posted or to be answered."""
        return len(self._tasks)

    def _start(self, posting: Posting) -> None:
        earlier = [self._last[contact] for contact in posting.contacts if contact in self._last]
        task = self._spawn(posting, earlier)
        self._last.update(dict.fromkeys(posting.contacts, task))

    def _spawn(self, posting: Posting, earlier: list[asyncio.Task[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._post(posting, earlier))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _post(self, posting: Posting, earlier: list[asyncio.Task[None]]) -> None:
        if earlier:
            await asyncio.wait(earlier)
        body = webhook(posting.messages)
        if posting.copy_at_once:
            self._copy(body, 0)
        await self._until_taken(body)
        self.webhooks += 1
        for message in posting.messages:
            self.accepted.setdefault(message, time.time())
        if posting.copy_after is not None:
            self._copy(body, posting.copy_after)

    def _copy(self, body: bytes, after: float) -> None:
        self.copies += 1
        task = asyncio.create_task(self._again(body, after))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _again(self, body: bytes, after: float) -> None:
        await asyncio.sleep(after)
        await self._until_taken(body)

    async def _until_taken(self, body: bytes) -> None:
        headers, attempts = signed(body), 0
        while (answer := await self._answer(body, headers)) != "200":
            self.answers[answer] += 1
            await asyncio.sleep(_BACKOFF[min(attempts, len(_BACKOFF) - 1)])
            attempts += 1
        self.answers[answer] += 1

    async def _answer(self, body: bytes, headers: dict[str, str]) -> str:
        try:
            async with self._session.post(self._url, data=body, headers=headers) as response:
                await response.read()
                return str(response.status)
        except (ClientError, OSError):
            return "none"
