"""The way to media, for handlers: the account's provider, a few tries, and one session for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

from pipeline.errors import Unavailable, Unsendable
from pipeline.handlers.media.gateway import MediaInfo, Upload, Uploaded
from pipeline.handlers.media.limits import plain_type
from pipeline.providers.base import MediaProvider, Provider
from pipeline.tenants import Account, Tenants

PAUSES: Final = (0.2, 0.8)
"""Seconds between the tries. A handler waits meanwhile, so they are few."""

Result = TypeVar("Result")


class AccountMedia:
    """Media of every account of an installation, a `pipeline.handlers.media.gateway.MediaGateway`."""

    def __init__(self, providers: Mapping[str, Provider], tenants: Tenants, pauses: tuple[float, ...] = PAUSES) -> None:
        self._providers = {name: each for name, each in providers.items() if isinstance(each, MediaProvider)}
        self._tenants = tenants
        self._pauses = pauses
        self._opened: ClientSession | None = None

    async def close(self) -> None:
        if self._opened:
            await self._opened.close()

    def keeps_media(self, provider: str) -> bool:
        return provider in self._providers

    async def upload(self, provider: str, account: str, upload: Upload) -> Uploaded:
        keeper, owner = self._keeper(provider, account)
        return await self._tried(lambda: keeper.upload_media(upload, owner, self._session), "UPLOAD_FAILED")

    async def info(self, provider: str, account: str, media_id: str) -> MediaInfo:
        keeper, owner = self._keeper(provider, account)
        return await self._tried(lambda: keeper.media_info(media_id, owner, self._session), "MEDIA_INFO_FAILED")

    async def delete(self, provider: str, account: str, media_id: str) -> None:
        keeper, owner = self._keeper(provider, account)
        await self._tried(lambda: keeper.delete_media(media_id, owner, self._session), "DELETION_FAILED")

    @asynccontextmanager
    async def download(
        self, provider: str, account: str, info: MediaInfo, chunk_size: int
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        keeper, owner = self._keeper(provider, account)
        try:
            async with keeper.open_media(info, owner, self._session) as response:
                yield response.content.iter_chunked(chunk_size)
        except (ClientError, TimeoutError, Unavailable) as error:
            raise _away(error, "DOWNLOAD_FAILED") from None

    @asynccontextmanager
    async def fetch(self, url: str, chunk_size: int) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        try:
            async with self._session.get(url, timeout=ClientTimeout(total=None, sock_read=30)) as response:
                if response.status != 200:
                    raise Unsendable(f"the URL answered HTTP {response.status}", "DOWNLOAD_FAILED")
                yield plain_type(response.content_type), response.content.iter_chunked(chunk_size)
        except (ClientError, TimeoutError, ValueError) as error:
            raise _away(error, "DOWNLOAD_FAILED") from None

    @property
    def _session(self) -> ClientSession:
        """Opened when it is first needed, since only then an event loop is sure to run."""
        if self._opened is None:
            self._opened = ClientSession(cookie_jar=DummyCookieJar())
        return self._opened

    def _keeper(self, provider: str, account: str) -> tuple[MediaProvider, Account]:
        owner = self._tenants.account(provider, account)
        if owner is None:
            raise Unsendable(f"no tenant owns {provider} account {account}", "UNSUPPORTED")
        return self._providers[provider], owner

    async def _tried(self, call: Callable[[], Awaitable[Result]], failure: str) -> Result:
        for pause in self._pauses:
            try:
                return await call()
            except Unavailable:
                await asyncio.sleep(pause)
        try:
            return await call()
        except Unavailable as error:
            raise Unsendable(str(error), failure) from None


def _away(error: Exception, code: str) -> Unsendable:
    words = str(error) if isinstance(error, Unavailable) else f"it could not be read ({type(error).__name__})"
    return Unsendable(words, code)
