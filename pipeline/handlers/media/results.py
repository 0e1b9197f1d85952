"""The results of media operations, by Wappa's names. A failure is a result, never an exception."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from pipeline.topics.events import PlatformType


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """The fields of all results.

    Attributes:
        success: True if the operation succeeded.
        media_id: the provider's id.
        error: the error message; None with success.
        error_code: the same for programs, e.g. `FILE_SIZE_EXCEEDED`; None with success.
        inbox_id: the account (Cloud API: phone_number_id).
    """

    success: bool
    platform: PlatformType = PlatformType.WHATSAPP
    media_id: str | None = None
    error: str | None = None
    error_code: str | None = None
    inbox_id: str | None = None

    @property
    def tenant_id(self) -> str | None:
        """The account, by the name that it has in Wappa 0.1."""
        return self.inbox_id


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaUploadResult(_Result):
    """The result of an upload: `media_id`, or `media_url` from a provider that gives URLs."""

    media_url: str | None = None
    file_size: int | None = None
    mime_type: str | None = None
    uploaded_at: datetime = field(default_factory=_now)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfoResult(_Result):
    """The provider's data of a medium.

    `url` needs the account's token and expires soon: use `download_media`. `sha256` is hexadecimal.
    """

    url: str | None = None
    mime_type: str | None = None
    file_size: int | None = None
    sha256: str | None = None
    retrieved_at: datetime = field(default_factory=_now)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaDownloadResult(_Result):
    """The bytes of a medium, and the file they were written to, if one was requested.

    As a context manager it removes a temporary file at its end.
    """

    file_data: bytes | None = None
    file_path: str | None = None
    mime_type: str | None = None
    file_size: int | None = None
    sha256: str | None = None
    downloaded_at: datetime = field(default_factory=_now)
    temporary: bool = False

    def cleanup(self) -> None:
        """Remove the file if it is a temporary one."""
        if self.temporary and self.file_path:
            Path(self.file_path).unlink(missing_ok=True)

    def __enter__(self) -> MediaDownloadResult:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.cleanup()

    async def __aenter__(self) -> MediaDownloadResult:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.cleanup()


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaDeleteResult(_Result):
    """The result of a deletion."""

    deleted_at: datetime = field(default_factory=_now)
