"""The contract of a provider that keeps media. The providers implement it; nothing here knows HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way to a provider."""

    content: bytes
    mime_type: str
    filename: str


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The provider's answer to an upload.

    Attributes:
        medium: `{"id": …}` or `{"link": …}`, as commands name media.
        lifetime: seconds for which it may be sent.
    """

    medium: dict[str, str]
    lifetime: int


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """The provider's data of a medium. `sha256` is hexadecimal; `url` needs the token and expires soon."""

    media_id: str
    url: str
    mime_type: str | None = None
    file_size: int | None = None
    sha256: str | None = None


class MediaGateway(Protocol):
    """Media at the providers, by provider and account.

    Its methods raise `Unsendable` with one of the codes of Wappa's media handler if the provider rejects the request,
    does
    not know the medium, or can't be reached. Uploading twice does no harm, so uploads are retried inside.
    """

    def keeps_media(self, provider: str) -> bool:
        """Return True if the provider takes uploads."""

    async def upload(self, provider: str, account: str, upload: Upload) -> Uploaded:
        """Upload a file."""

    async def info(self, provider: str, account: str, media_id: str) -> MediaInfo:
        """Return the provider's data of a medium."""

    def download(
        self, provider: str, account: str, info: MediaInfo, chunk_size: int
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a medium: its bytes come in chunks of at most `chunk_size`."""

    async def delete(self, provider: str, account: str, media_id: str) -> None:
        """Delete a medium."""

    def fetch(
        self, provider: str, account: str, url: str, chunk_size: int
    ) -> AbstractAsyncContextManager[tuple[str, AsyncIterator[bytes]]]:
        """Open a URL without any account's credentials: gives its MIME type and its bytes in chunks.

        Raises `Unsendable` for one that leads, at once or by a redirect, to an address that is neither public nor
        allowed nor that of the account's own provider.
        """
