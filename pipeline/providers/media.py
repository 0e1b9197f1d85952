"""The way to media, for handlers: the account's provider, a few tries, and sessions that are kept.

What the provider is asked goes to the account's own URL. What a URL leads to, be it a handler's or the one that a
provider gives for a medium, is asked of public addresses only, and of the account's own origin: a gateway that somebody
runs himself is private.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar
from aiohttp.abc import AbstractResolver

from pipeline.errors import InvalidRecord, Unavailable, Unsendable
from pipeline.handlers.media.gateway import MediaInfo, Upload, Uploaded
from pipeline.handlers.media.limits import max_size, plain_type
from pipeline.providers.base import MediaProvider, Provider
from pipeline.providers.public import Network, Origin, PublicConnector
from pipeline.tenants import Account, Tenants

PAUSES: Final = (0.2, 0.8)
"""Seconds between the tries. A handler waits meanwhile, so they are few."""

REDIRECTS: Final = 5
FETCH_TIMEOUT: Final = ClientTimeout(total=None, connect=10, sock_connect=10, sock_read=30)
"""Of one connection and of one wait for bytes; the whole has the time that the handler gives it."""
PLAIN: Final = {"Accept-Encoding": "identity"}
"""Of a compressed answer nobody knows how large it becomes."""

Result = TypeVar("Result")


class AccountMedia:
    """Media of every account of an installation, a `pipeline.handlers.media.gateway.MediaGateway`.

    Args:
        networks: addresses that URLs may lead to though they are not public.
        resolver: looks up the hosts of URLs; by default the system's.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        tenants: Tenants,
        pauses: tuple[float, ...] = PAUSES,
        networks: Collection[Network] = (),
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._providers = {name: each for name, each in providers.items() if isinstance(each, MediaProvider)}
        self._tenants = tenants
        self._pauses = pauses
        self._networks = networks
        self._resolver = resolver
        self._opened: ClientSession | None = None
        self._outward: dict[Origin | None, ClientSession] = {}

    async def close(self) -> None:
        for session in (self._opened, *self._outward.values()):
            if session:
                await session.close()

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
            async with keeper.open_media(info, owner, self._outward_session(owner)) as response:
                yield response.content.iter_chunked(chunk_size)
        except (ClientError, TimeoutError, Unavailable) as error:
            raise _away(error, "DOWNLOAD_FAILED") from None

    @asynccontextmanager
    async def fetch(
        self, provider: str, account: str, url: str, chunk_size: int
    ) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        session = self._outward_session(self._tenants.account(provider, account))
        try:
            async with session.get(
                url, timeout=FETCH_TIMEOUT, headers=PLAIN, max_redirects=REDIRECTS, auto_decompress=False
            ) as response:
                if response.status != 200:
                    raise Unsendable(f"the URL answered HTTP {response.status}", "DOWNLOAD_FAILED")
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise Unsendable("the URL answered compressed, though it was asked not to", "DOWNLOAD_FAILED")
                _require_size(response)
                yield plain_type(response.content_type), response.content.iter_chunked(chunk_size)
        except (ClientError, TimeoutError, ValueError) as error:
            raise _away(error, "DOWNLOAD_FAILED") from None

    @property
    def _session(self) -> ClientSession:
        """Opened when it is first needed, since only then an event loop is sure to run."""
        if self._opened is None:
            self._opened = ClientSession(cookie_jar=DummyCookieJar())
        return self._opened

    def _outward_session(self, account: Account | None) -> ClientSession:
        """One for each origin that is allowed beside the public addresses."""
        own = Origin.of(account.base_url) if account and account.base_url else None
        if own not in self._outward:
            connector = PublicConnector(self._networks, own, self._resolver)
            self._outward[own] = ClientSession(connector=connector, cookie_jar=DummyCookieJar())
        return self._outward[own]

    def _keeper(self, provider: str, account: str) -> tuple[MediaProvider, Account]:
        owner = self._tenants.account(provider, account)
        if owner is None:
            raise Unsendable(f"no tenant owns {provider} account {account}", "UNSUPPORTED")
        return self._providers[provider], owner

    async def _tried(self, call: Callable[[], Awaitable[Result]], failure: str) -> Result:
        try:
            for pause in self._pauses:
                try:
                    return await call()
                except Unavailable:
                    await asyncio.sleep(pause)
            return await call()
        except (Unavailable, InvalidRecord) as error:
            raise Unsendable(str(error), failure) from None


def _require_size(response: ClientResponse) -> None:
    """What says that it is too large is not begun with. What does not say is counted as it comes."""
    if (response.content_length or 0) > (most := max_size(response.content_type)):
        raise Unsendable(f"the medium has more than {most} bytes", "FILE_SIZE_EXCEEDED")


def _away(error: Exception, code: str) -> Unsendable:
    words = str(error) if isinstance(error, Unavailable) else f"it could not be read ({type(error).__name__})"
    return Unsendable(words, code)
