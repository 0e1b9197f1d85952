"""The platform reports that something is wrong, about no message in particular."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from topics.events.base import EventBase
from topics.events.error_detail import ErrorDetail


class ErrorEvent(EventBase):
    """Errors of the system, the app or the account: the argument of `process_error`."""

    webhook_type: ClassVar[str] = "error"

    kind: Literal["error"]
    errors: list[ErrorDetail] = Field(min_length=1)
    error_level: str = "system"

    def get_primary_error(self) -> ErrorDetail:
        return self.errors[0]

    def get_error_count(self) -> int:
        return len(self.errors)

    def get_error_codes(self) -> list[int]:
        return [error.code for error in self.errors]

    def has_critical_errors(self) -> bool:
        """Whether nothing goes through until somebody acts: a token, a payment, a restriction, a server error."""
        return any(error.is_critical for error in self.errors)

    def has_retryable_errors(self) -> bool:
        """Whether trying again later may help (`topics.events.error_codes`)."""
        return any(error.is_retryable for error in self.errors)

    def get_summary(self) -> dict[str, Any]:
        return super().get_summary() | {
            "error_level": self.error_level,
            "error_count": self.get_error_count(),
            "error_codes": self.get_error_codes(),
        }
