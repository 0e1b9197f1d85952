"""One error of a provider, as it appears in errors, statuses and messages."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from pipeline.topics.events.error_codes import is_critical, is_retryable
from pipeline.topics.events.model import EventModel


class ErrorData(EventModel):
    """The details of an error. Decide by them or by `code`, never by a title: titles change."""

    details: str | None = None


class ErrorDetail(EventModel):
    """An error in the Cloud API's shape. Only `code` and `title` are sure; decide by `code`."""

    code: int
    title: str = ""
    message: str | None = None
    error_data: ErrorData | None = None
    href: str | None = None
    error_type: str | None = Field(None, alias="type")
    occurred_at: datetime | None = None

    @property
    def error_code(self) -> int:
        """The provider's code."""
        return self.code

    @property
    def error_title(self) -> str:
        """The provider's title."""
        return self.title

    @property
    def error_message(self) -> str:
        """The provider's message, else the title."""
        return self.message or self.title

    @property
    def error_details(self) -> str | None:
        """The provider's details, if there are any."""
        return self.error_data.details if self.error_data else None

    @property
    def documentation_url(self) -> str | None:
        """The URL of the documentation, if there is one."""
        return self.href

    @property
    def is_retryable(self) -> bool:
        """True if trying again later, unchanged, may help."""
        return is_retryable(self.code)

    @property
    def is_critical(self) -> bool:
        """True if nothing is sent until a person acts."""
        return is_critical(self.code)

    def is_temporary_error(self) -> bool:
        """Return True if trying again later, unchanged, may help (`pipeline.topics.events.error_codes`)."""
        return self.is_retryable

    def get_error_summary(self) -> str:
        """Return code and title in one text."""
        return f"{self.code}: {self.title}"
