"""What handlers need of a provider that keeps media. The providers bring it; nothing here knows HTTP."""

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
    """What a provider gave for a file.

    Attributes:
        medium: `{"id": …}` or `{"link": …}`, as commands name media.
        lifetime: seconds for which it may be sent.
    """

    medium: dict[str, str]
    lifetime: int


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a provider knows of a medium. `sha256` is hexadecimal; `url` needs the token and is short-lived."""

    media_id: str
    url: str
    mime_type: str | None = None
    file_size: int | None = None
    sha256: str | None = None


class MediaGateway(Protocol):
    """Media at the providers' side, by provider and account.

    Its methods raise `Unsendable` with one of the codes of Wappa's media handler where the provider refuses, knows
    nothing of the medium, or can't be reached. Uploading twice does no harm, so they try again by themselves.
    """

    def keeps_media(self, provider: str) -> bool:
        """Whether the provider takes uploads."""

    async def upload(self, provider: str, account: str, upload: Upload) -> Uploaded: ...

    async def info(self, provider: str, account: str, media_id: str) -> MediaInfo: ...

    def download(
        self, provider: str, account: str, info: MediaInfo, chunk_size: int
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The medium's bytes in chunks of at most `chunk_size`."""

    async def delete(self, provider: str, account: str, media_id: str) -> None: ...

    def fetch(
        self, provider: str, account: str, url: str, chunk_size: int
    ) -> AbstractAsyncContextManager[tuple[str, AsyncIterator[bytes]]]:
        """The MIME type and the bytes of a URL, without any account's credentials.

        Raises `Unsendable` for one that leads, at once or by a redirect, to an address that is neither public nor
        allowed nor that of the account's own provider.
        """
