"""Messages that the platform itself could not hand over."""

from __future__ import annotations

from typing import Any, Literal

from pipeline.topics.events.error_detail import ErrorDetail
from pipeline.topics.events.messages.base import MessageBase

_UNKNOWN_TYPE = 131051


class UnsupportedMessage(MessageBase):
    """Something arrived, and the platform says that it can't say what.

    A provider fills `errors` and `unsupported.type` where it knows them. What this project has no model for is an
    `UnknownEvent` instead.
    """

    type: Literal["unsupported"]
    unsupported: dict[str, Any] | None = None

    @property
    def primary_error(self) -> ErrorDetail | None:
        """The first error, if there is one."""
        return self.errors[0] if self.errors else None

    @property
    def error_count(self) -> int:
        """The number of errors."""
        return len(self.errors or ())

    @property
    def error_codes(self) -> list[int]:
        """The codes of all errors, in order."""
        return [error.code for error in self.errors or ()]

    @property
    def error_messages(self) -> list[str]:
        """The messages of all errors, in order."""
        return [error.error_message for error in self.errors or ()]

    def has_error_code(self, code: int) -> bool:
        """Return True if one of the errors has this code."""
        return code in self.error_codes

    def get_error_by_code(self, code: int) -> ErrorDetail | None:
        """Return the first error with this code; None if there is none."""
        return next((error for error in self.errors or () if error.code == code), None)

    def is_unknown_message_type(self) -> bool:
        """Return True if the platform does not know the type itself."""
        return self.has_error_code(_UNKNOWN_TYPE)

    def get_unsupported_reason(self) -> str:
        """Return the platform's details, else its title, else the type that it names, else ""."""
        error, kind = self.primary_error, (self.unsupported or {}).get("type")
        told = (error.error_details or error.title) if error else None
        return told or (kind if isinstance(kind, str) else "")
