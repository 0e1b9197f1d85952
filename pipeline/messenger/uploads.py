"""Deliver commands whose medium is an upload: read the file, and give it to the provider in the provider's own way.

A provider that keeps media gets the file first and its message by id. Uploading may be repeated without harm, so it
needs no permission of the command's guard, and a command whose guard has expired meanwhile finds the file uploaded. One
without gets the file inside its command.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, NamedTuple

from aiohttp import ClientSession
from pydantic import ValidationError

from pipeline.errors import CallWithheld, InvalidRecord, Unanswered, Unavailable, Unsendable
from pipeline.handlers.media.gateway import Upload
from pipeline.keyed_locks import KeyedLocks
from pipeline.messenger.connections import WriteGuard, guarded_by
from pipeline.providers.base import AttemptStatus, MediaProvider, Provider, SendAttempt
from pipeline.providers.shared.http import RETRY_DELAY
from pipeline.tenants import Account
from pipeline.topics.commands import Command
from pipeline.topics.uploads import StoredUpload, upload_in

ReadUpload = Callable[[StoredUpload], Awaitable[bytes]]
"""Returns the file of an upload. Raises `Unavailable`, and `InvalidRecord` if it is gone."""

MAX_HELD: Final = 128 * 1024 * 1024
"""Bytes of memory for files that are being sent. A larger file is sent alone."""
INLINE_COPIES: Final = 4
"""Times that a file is in memory while it is sent inside a command: itself, in base64, in JSON, and on its way."""
KEPT_COPIES: Final = 2
"""The same for a file that is uploaded: as it is read, and on its way."""
HOLD_TIMEOUT: Final = 5.0
"""Seconds that a file waits for memory with the connection slot of its call; then the slot goes to another command."""
MAX_KNOWN: Final = 10_000
"""Uploaded files whose ids are remembered."""
MAX_KNOWN_AGE: Final = 86_400.0
"""Seconds for which an id is used again. It is short, because somebody may have deleted the medium."""


class _Known(NamedTuple):
    """A medium at a provider. `until`: by the monotonic clock."""

    medium: Mapping[str, Any]
    until: float


class UploadDelivery:
    """Calls providers, and gives them the files that commands name. One object serves all accounts.

    Args:
        read: reads a file.
        max_held: bytes of memory for files.
    """

    def __init__(self, read: ReadUpload, max_held: int = MAX_HELD) -> None:
        self._read = read
        self._memory = ByteBudget(max_held)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._uploading = KeyedLocks()

    def deliver(
        self, provider: Provider, command: Command, account: Account, session: ClientSession
    ) -> Awaitable[SendAttempt]:
        """Carry out one command, as `Provider.deliver` does. Raises `CallWithheld` while its file can't be read."""
        if (named := upload_in(command.body)) is None:
            return provider.deliver(command, account, session)
        return self._deliver_upload(provider, command, named, account, session)

    async def _deliver_upload(
        self, provider: Provider, command: Command, named: object, account: Account, session: ClientSession
    ) -> SendAttempt:
        async with AsyncExitStack() as held:
            try:
                medium = await self._medium(provider, named, account, session, held)
            except CallWithheld:
                raise
            except (InvalidRecord, Unsendable) as error:
                return SendAttempt(AttemptStatus.PERMANENT, error_message=str(error))
            except Unavailable as error:
                answered = not isinstance(error, Unanswered)
                return SendAttempt(
                    AttemptStatus.RETRYABLE, error_message=str(error), delay=RETRY_DELAY, answered=answered
                )
            return await provider.deliver(_with_medium(command, medium), account, session)

    async def _medium(
        self, provider: Provider, named: object, account: Account, session: ClientSession, held: AsyncExitStack
    ) -> Mapping[str, Any]:
        """Return the file as the provider takes it. `held` holds the memory of a file inside the command."""
        upload = _parsed(named)
        if isinstance(provider, MediaProvider):
            return await self._uploaded(provider, upload, account, session)
        content = await held.enter_async_context(self._content(upload, INLINE_COPIES))
        return {"data": base64.b64encode(content).decode()}

    async def _uploaded(
        self, provider: MediaProvider, upload: StoredUpload, account: Account, session: ClientSession
    ) -> Mapping[str, Any]:
        """Return the file as the provider names it. Sends of one file through one account share one upload."""
        key = f"{account.provider}:{account.id}:{upload.sha256}:{upload.mime_type}"
        async with self._uploading.acquire((key,)):
            known = self._known.get(key)
            if known is None or known.until <= time.monotonic():
                async with self._content(upload, KEPT_COPIES) as content:
                    file = Upload(content, upload.mime_type, upload.filename)
                    with guarded_by(WriteGuard()):
                        uploaded = await provider.upload_media(file, account, session)
                known = _Known(uploaded.medium, time.monotonic() + min(MAX_KNOWN_AGE, uploaded.lifetime / 2))
                self._remember(key, known)
            return known.medium

    def _remember(self, key: str, known: _Known) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    @asynccontextmanager
    async def _content(self, upload: StoredUpload, copies: int) -> AsyncIterator[bytes]:
        """Hold the memory for a file and yield it. Raises `CallWithheld` if it can't be read now."""
        async with self._memory.held(copies * upload.size):
            try:
                content = await self._read(upload)
            except Unavailable as error:
                raise CallWithheld(str(error), RETRY_DELAY) from None
            yield content


class ByteBudget:
    """Memory that is handed out in order, so that many small files don't keep a large one waiting.

    Args:
        most: bytes in all. More are handed out only to a file that is alone.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def held(self, size: int) -> AsyncIterator[None]:
        """Hold so many bytes. Raises `CallWithheld` if there are none for `HOLD_TIMEOUT` seconds."""
        try:
            async with asyncio.timeout(HOLD_TIMEOUT):
                await self._take(size)
        except TimeoutError:
            raise CallWithheld("the files that are being sent take all the memory for them", RETRY_DELAY) from None
        try:
            yield
        finally:
            self._held -= size
            self._freed.set()

    async def _take(self, size: int) -> None:
        async with self._turn:
            while self._held and self._held + size > self._most:
                self._freed.clear()
                await self._freed.wait()
            self._held += size


def _parsed(named: object) -> StoredUpload:
    try:
        return StoredUpload.model_validate(named)
    except ValidationError:
        raise InvalidRecord("a command whose upload is not one") from None


def _with_medium(command: Command, medium: Mapping[str, Any]) -> Command:
    """Return the command with a medium that its provider knows, and the type and name that were beside the upload."""
    beside = {name: value for name, value in command.body["media"].items() if name != "upload"}
    return command.model_copy(update={"body": {**command.body, "media": {**beside, **medium}}})
