"""Access to media for handlers: the account's provider, a few retries, and sessions that are kept open.

Requests to a provider go to the account's own URL. Requests to other URLs, from a handler or from the provider's
answer, go to public addresses only, and to the account's own origin, because a self-hosted gateway has a private
address.
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
from pipeline.providers.public import Network, PublicConnector, WebOrigin
from pipeline.tenants import Account, Tenants

RETRY_DELAYS: Final = (0.2, 0.8)
"""Seconds before each retry. There are few, because a handler waits meanwhile."""

MAX_REDIRECTS: Final = 5
FETCH_TIMEOUT: Final = ClientTimeout(total=None, connect=10, sock_connect=10, sock_read=30)
"""Timeouts in seconds of a connection and of each read. The handler limits the whole."""
UNCOMPRESSED: Final = {"Accept-Encoding": "identity"}
"""Headers that ask for an uncompressed answer, because the size of a compressed one is unknown."""

Result = TypeVar("Result")


class AccountMedia:
    """Media of all accounts of an installation, a `pipeline.handlers.media.gateway.MediaGateway`.

    Args:
        networks: private networks that URLs may lead to.
        resolver: resolves the hosts of URLs; by default the system's.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        tenants: Tenants,
        pauses: tuple[float, ...] = RETRY_DELAYS,
        networks: Collection[Network] = (),
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._providers = {name: each for name, each in providers.items() if isinstance(each, MediaProvider)}
        self._tenants = tenants
        self._pauses = pauses
        self._networks = networks
        self._resolver = resolver
        self._provider_session: ClientSession | None = None
        self._outbound_sessions: dict[WebOrigin | None, ClientSession] = {}

    async def close(self) -> None:
        for session in (self._provider_session, *self._outbound_sessions.values()):
            if session:
                await session.close()

    def keeps_media(self, provider: str) -> bool:
        return provider in self._providers

    async def upload(self, provider: str, account: str, upload: Upload) -> Uploaded:
        keeper, owner = self._media_provider(provider, account)
        return await self._with_retries(lambda: keeper.upload_media(upload, owner, self._session), "UPLOAD_FAILED")

    async def info(self, provider: str, account: str, media_id: str) -> MediaInfo:
        keeper, owner = self._media_provider(provider, account)
        return await self._with_retries(lambda: keeper.media_info(media_id, owner, self._session), "MEDIA_INFO_FAILED")

    async def delete(self, provider: str, account: str, media_id: str) -> None:
        keeper, owner = self._media_provider(provider, account)
        await self._with_retries(lambda: keeper.delete_media(media_id, owner, self._session), "DELETION_FAILED")

    @asynccontextmanager
    async def download(
        self, provider: str, account: str, info: MediaInfo, chunk_size: int
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        keeper, owner = self._media_provider(provider, account)
        try:
            async with keeper.open_media(info, owner, self._outbound_session(owner)) as response:
                yield response.content.iter_chunked(chunk_size)
        except (ClientError, TimeoutError, Unavailable) as error:
            raise _unavailable(error, "DOWNLOAD_FAILED") from None

    @asynccontextmanager
    async def fetch(
        self, provider: str, account: str, url: str, chunk_size: int
    ) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        session = self._outbound_session(self._tenants.account(provider, account))
        try:
            async with session.get(
                url, timeout=FETCH_TIMEOUT, headers=UNCOMPRESSED, max_redirects=MAX_REDIRECTS, auto_decompress=False
            ) as response:
                if response.status != 200:
                    raise Unsendable(f"the URL answered HTTP {response.status}", "DOWNLOAD_FAILED")
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise Unsendable("the URL answered compressed, though it was asked not to", "DOWNLOAD_FAILED")
                _require_size(response)
                yield plain_type(response.content_type), response.content.iter_chunked(chunk_size)
        except (ClientError, TimeoutError, ValueError) as error:
            raise _unavailable(error, "DOWNLOAD_FAILED") from None

    @property
    def _session(self) -> ClientSession:
        """Return the session for providers. It is opened on first use, when an event loop is sure to run."""
        if self._provider_session is None:
            self._provider_session = ClientSession(cookie_jar=DummyCookieJar())
        return self._provider_session

    def _outbound_session(self, account: Account | None) -> ClientSession:
        """Return the session for URLs. There is one per origin that is allowed besides the public addresses."""
        own = WebOrigin.of(account.base_url) if account and account.base_url else None
        if own not in self._outbound_sessions:
            connector = PublicConnector(self._networks, own, self._resolver)
            self._outbound_sessions[own] = ClientSession(connector=connector, cookie_jar=DummyCookieJar())
        return self._outbound_sessions[own]

    def _media_provider(self, provider: str, account: str) -> tuple[MediaProvider, Account]:
        owner = self._tenants.account(provider, account)
        if owner is None:
            raise Unsendable(f"no tenant owns {provider} account {account}", "UNSUPPORTED")
        return self._providers[provider], owner

    async def _with_retries(self, call: Callable[[], Awaitable[Result]], failure: str) -> Result:
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
    """Raise `Unsendable` if the declared size is too large. Without a declared size the bytes are counted later."""
    if (response.content_length or 0) > (most := max_size(response.content_type)):
        raise Unsendable(f"the medium has more than {most} bytes", "FILE_SIZE_EXCEEDED")


def _unavailable(error: Exception, code: str) -> Unsendable:
    text = str(error) if isinstance(error, Unavailable) else f"it could not be read ({type(error).__name__})"
    return Unsendable(text, code)
