"""Media for handlers: upload, look up, download, stream, delete. Errors are in the results; nothing raises."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from pipeline.errors import Unsendable
from pipeline.handlers.context import HandlerContext, current
from pipeline.handlers.media import limits
from pipeline.handlers.media.gateway import MediaGateway, MediaInfo
from pipeline.handlers.media.results import (
    MediaDeleteResult,
    MediaDownloadResult,
    MediaInfoResult,
    MediaUploadResult,
)
from pipeline.handlers.media.sources import load_upload
from pipeline.handlers.outbound import checks
from pipeline.topics.events import PlatformType

CHUNK: Final = 8192


class MediaHandler:
    """Media of the account that the current event came by. One object serves every handler.

    Uploads and deletions happen when they are called and are no part of the event's unit of work: uploading a file
    again
    gives the same id, without sending the file again.
    """

    @property
    def platform(self) -> PlatformType:
        """The messaging platform."""
        return current().event.platform

    @property
    def inbox_id(self) -> str:
        """The account that the event came by."""
        return current().event.account

    @property
    def tenant_id(self) -> str:
        """The tenant of the event."""
        return current().event.tenant_id

    @property
    def supported_media_types(self) -> set[str]:
        """The MIME types that WhatsApp takes."""
        return set(limits.SUPPORTED)

    @property
    def max_file_size(self) -> dict[str, int]:
        """The maximum size in bytes, by category: audio, document, image, sticker, video."""
        return dict(limits.SIZES)

    async def upload_media(
        self, file_path: str | Path, media_type: str | None = None, filename: str | None = None
    ) -> MediaUploadResult:
        """Upload a file. Without `media_type` its first bytes and its name tell the type.

        A `Path` may be anywhere. A string could have come from outside: it names a file below `PIPELINE_MEDIA_DIR`.
        """
        return await self._upload(file_path, media_type, filename)

    async def upload_media_from_bytes(self, file_data: bytes, media_type: str, filename: str) -> MediaUploadResult:
        """Upload bytes."""
        return await self._upload(file_data, media_type, filename)

    async def upload_media_from_stream(
        self, file_stream: BinaryIO, media_type: str, filename: str, file_size: int | None = None
    ) -> MediaUploadResult:
        """Upload an open file. `file_size` is not needed: the limit is checked while reading."""
        return await self._upload(file_stream, media_type, filename)

    async def upload_media_from_url(
        self, url: str, *, filename: str = "download", timeout: float = 60.0
    ) -> MediaUploadResult:
        """Fetch a public URL, without the account's token, and upload its content. `timeout` is in seconds, for all of
        it.

        At most 5 redirects are followed. A URL that leads to an address that is not public is rejected
        (`URL_NOT_ALLOWED`),
        except for the networks in `PIPELINE_MEDIA_NETWORKS` and for the account's own `base_url`.
        """
        here = current()
        try:
            async with asyncio.timeout(timeout):
                mime_type, content = await _fetched(here, url)
        except TimeoutError:
            return _failed_upload(here, Unsendable(f"the URL took longer than {timeout:g} s", "DOWNLOAD_FAILED"))
        except Unsendable as error:
            return _failed_upload(here, error)
        return await self._upload(content, mime_type, filename + limits.extension(mime_type))

    async def get_media_info(self, media_id: str) -> MediaInfoResult:
        """Return the provider's data of a medium."""
        here = current()
        try:
            info = await _info(here, media_id)
        except Unsendable as error:
            return MediaInfoResult(media_id=media_id, **_failure(here, error))
        return MediaInfoResult(
            success=True,
            media_id=media_id,
            inbox_id=here.event.account,
            url=info.url,
            mime_type=info.mime_type,
            file_size=info.file_size,
            sha256=info.sha256,
        )

    async def download_media(
        self,
        media_id: str,
        destination_path: str | Path | None = None,
        sender_id: str | None = None,
        use_tempfile: bool = False,
        temp_suffix: str | None = None,
        auto_cleanup: bool = True,
    ) -> MediaDownloadResult:
        """Return the medium's bytes, at most 100 MiB.

        Args:
            media_id: the provider's id.
            destination_path: a folder to write them to as `<category>_<sender>_<media id><extension>`.
            sender_id: the sender in that name.
            use_tempfile: True to write them to a temporary file instead. The result, as a context manager, removes it.
            temp_suffix: the ending of the temporary file's name; by default the medium's own.
            auto_cleanup: False to keep the temporary file.
        """
        here = current()
        try:
            info, content = await _downloaded(here, media_id)
            path = await asyncio.to_thread(
                _write, content, info, destination_path, sender_id, use_tempfile, temp_suffix
            )
        except Unsendable as error:
            return MediaDownloadResult(media_id=media_id, **_failure(here, error))
        return MediaDownloadResult(
            success=True,
            media_id=media_id,
            inbox_id=here.event.account,
            file_data=content,
            file_path=path,
            mime_type=info.mime_type,
            file_size=len(content),
            sha256=info.sha256,
            temporary=use_tempfile and auto_cleanup,
        )

    @asynccontextmanager
    async def download_media_tempfile(
        self, media_id: str, temp_suffix: str | None = None, sender_id: str | None = None
    ) -> AsyncIterator[MediaDownloadResult]:
        """Give the medium in a file that is removed at the end of the context."""
        result = await self.download_media(media_id, None, sender_id, use_tempfile=True, temp_suffix=temp_suffix)
        with result:
            yield result

    async def get_media_as_bytes(self, media_id: str) -> MediaDownloadResult:
        """Return the medium's bytes, at most 100 MiB."""
        return await self.download_media(media_id)

    async def stream_media(self, media_id: str, chunk_size: int = CHUNK) -> AsyncIterator[bytes]:
        """Yield the medium's bytes in chunks.

        Raises `Unsendable` if there is nothing to stream: no other method here raises.
        """
        here = current()
        async with _stream(here, await _info(here, media_id), chunk_size) as chunks:
            async for chunk in chunks:
                yield chunk

    async def delete_media(self, media_id: str) -> MediaDeleteResult:
        """Delete a medium at the provider."""
        here = current()
        try:
            await _gateway(here).delete(here.event.provider, here.event.account, media_id)
        except Unsendable as error:
            return MediaDeleteResult(media_id=media_id, **_failure(here, error))
        await here.services.library.forget(here.event, media_id)
        return MediaDeleteResult(success=True, media_id=media_id, inbox_id=here.event.account)

    def validate_media_type(self, mime_type: str) -> bool:
        """Return True if WhatsApp takes the MIME type."""
        return limits.plain_type(mime_type) in limits.SUPPORTED

    def validate_file_size(self, file_size: int, mime_type: str) -> bool:
        """Return True if a file of that type may have so many bytes."""
        return file_size <= limits.max_size(mime_type)

    def get_media_limits(self) -> dict[str, Any]:
        """Return sizes in bytes, types, and the lifetimes of URLs (minutes) and uploads (days)."""
        return {
            "max_sizes": self.max_file_size,
            "supported_types": sorted(self.supported_media_types),
            "url_expiry_minutes": 5,
            "media_persistence_days": 30,
            "platform": PlatformType.WHATSAPP.value,
        }

    async def _upload(self, source: object, mime_type: str | None, filename: str | None) -> MediaUploadResult:
        here = current()
        try:
            upload = await load_upload(source, mime_type, filename, folder=here.services.library.folder)
            _gateway(here)
            medium = await here.services.library.upload_once(here.event, upload)
        except Unsendable as error:
            return _failed_upload(here, error)
        return MediaUploadResult(
            success=True,
            media_id=medium.get("id"),
            media_url=medium.get("link"),
            file_size=len(upload.content),
            mime_type=upload.mime_type,
            inbox_id=here.event.account,
        )


def _gateway(here: HandlerContext) -> MediaGateway:
    gateway = here.services.library.gateway
    if gateway is None or not gateway.keeps_media(here.event.provider):
        raise Unsendable(f"{here.event.provider} keeps no media", "UNSUPPORTED")
    return gateway


async def _info(here: HandlerContext, media_id: str) -> MediaInfo:
    if not isinstance(media_id, str) or not media_id:
        raise Unsendable("there is no media id: pass webhook.message.media_id", "NO_MEDIA_ID")
    return await _gateway(here).info(here.event.provider, here.event.account, media_id)


def _stream(here: HandlerContext, info: MediaInfo, chunk: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
    return _gateway(here).download(here.event.provider, here.event.account, info, chunk)


async def _downloaded(here: HandlerContext, media_id: str) -> tuple[MediaInfo, bytes]:
    info = await _info(here, media_id)
    async with _stream(here, info, CHUNK) as chunks:
        return info, await _collected(chunks)


async def _fetched(here: HandlerContext, url: str) -> tuple[str, bytes]:
    checks.url(url)
    async with _gateway(here).fetch(here.event.provider, here.event.account, url, CHUNK) as (mime_type, chunks):
        limits.check_type(mime_type)
        return mime_type, await _collected(chunks, limits.max_size(mime_type))


async def _collected(chunks: AsyncIterator[bytes], most: int = limits.MAX_SIZE) -> bytes:
    collected = bytearray()
    async for chunk in chunks:
        collected += chunk
        if len(collected) > most:
            raise Unsendable(f"the medium has more than {most} bytes", "FILE_SIZE_EXCEEDED")
    return bytes(collected)


def _write(
    content: bytes,
    info: MediaInfo,
    folder: str | Path | None,
    sender: str | None,
    temporary: bool,
    suffix: str | None,
) -> str | None:
    """Write the file that the caller asked for, if any, and return its path."""
    ending = suffix or limits.extension(info.mime_type or "")
    try:
        if temporary:
            with tempfile.NamedTemporaryFile(prefix="media-", suffix=ending, delete=False) as file:
                file.write(content)
            return file.name
        return None if folder is None else _placed(content, info, Path(folder), sender, ending)
    except OSError as error:
        raise Unsendable(f"the medium can't be written ({error.strerror})", "DOWNLOAD_FAILED") from None


def _placed(content: bytes, info: MediaInfo, folder: Path, sender: str | None, ending: str) -> str:
    kind = limits.category(info.mime_type or "") or "file"
    path = folder / f"{kind}_{_safe(sender or 'unknown')}_{_safe(info.media_id)}{ending}"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def _safe(name: str) -> str:
    """Return a name as part of a file name: it can't name another folder."""
    return "".join(each if each.isalnum() or each in "-_" else "_" for each in name)[:100]


def _failure(here: HandlerContext, error: Unsendable) -> dict[str, Any]:
    return {"success": False, "error": str(error), "error_code": error.code, "inbox_id": here.event.account}


def _failed_upload(here: HandlerContext, error: Unsendable) -> MediaUploadResult:
    return MediaUploadResult(**_failure(here, error))


MEDIA: Final = MediaHandler()

IMediaHandler = MediaHandler
