"""The platform reports that something is wrong, about no message in particular."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from pipeline.topics.events.base import EventBase
from pipeline.topics.events.error_codes import RATE_LIMITS
from pipeline.topics.events.error_detail import ErrorDetail


class ErrorEvent(EventBase):
    """Errors of the system, the app or the account: the argument of `process_error`.

    A provider fills `errors`. All errors that came together are one event.
    """

    webhook_type: ClassVar[str] = "error"

    kind: Literal["error"]
    errors: list[ErrorDetail] = Field(min_length=1)
    error_level: str = "system"

    def get_primary_error(self) -> ErrorDetail:
        """Return the first error."""
        return self.errors[0]

    def get_error_count(self) -> int:
        """Return the number of errors."""
        return len(self.errors)

    def get_error_codes(self) -> list[int]:
        """Return the codes of all errors, in order."""
        return [error.code for error in self.errors]

    def has_critical_errors(self) -> bool:
        """Return True if nothing is sent until somebody acts: a token, a payment, a restriction, a server error."""
        return any(error.is_critical for error in self.errors)

    def has_retryable_errors(self) -> bool:
        """Return True if trying again later may help (`pipeline.topics.events.error_codes`)."""
        return any(error.is_retryable for error in self.errors)

    @property
    def error_count(self) -> int:
        """The number of errors."""
        return len(self.errors)

    @property
    def primary_error(self) -> ErrorDetail:
        """The first error."""
        return self.errors[0]

    @property
    def error_codes(self) -> list[int]:
        """The codes of all errors, in order."""
        return self.get_error_codes()

    @property
    def error_titles(self) -> list[str]:
        """The titles of all errors, in order."""
        return [error.title for error in self.errors]

    @property
    def error_messages(self) -> list[str]:
        """The messages of all errors, in order."""
        return [error.error_message for error in self.errors]

    def has_error_code(self, code: int) -> bool:
        """Return True if one of the errors has this code."""
        return code in self.error_codes

    def get_error_by_code(self, code: int) -> ErrorDetail | None:
        """Return the first error with this code; None if there is none."""
        return next((error for error in self.errors if error.code == code), None)

    def is_rate_limit_error(self) -> bool:
        """Return True if something is throttled: the number, a pair, the app or the WABA."""
        return any(code in RATE_LIMITS for code in self.error_codes)

    def is_bsuid_auth_error(self) -> bool:
        """Return True if something can't be sent to a business-scoped user id."""
        return self.has_error_code(131062)

    def is_system_error(self) -> bool:
        """Return True for a code of Wappa's system errors, 100000 to 199999."""
        return self._any_between(100_000, 199_999)

    def is_app_error(self) -> bool:
        """Return True for a code of Wappa's app errors, 200000 to 299999."""
        return self._any_between(200_000, 299_999)

    def is_account_error(self) -> bool:
        """Return True for a code of Wappa's account errors, 300000 to 399999."""
        return self._any_between(300_000, 399_999)

    def get_error_severity(self) -> str:
        """Return `critical` if somebody must act, `warning` if it passes by itself, else `error`."""
        if self.has_critical_errors():
            return "critical"
        return "warning" if self.has_retryable_errors() else "error"

    def get_documentation_url(self) -> str | None:
        """Return the URL of the first error's documentation, if it has one."""
        return self.primary_error.documentation_url

    def _any_between(self, first: int, last: int) -> bool:
        return any(first <= code <= last for code in self.error_codes)

    def get_summary(self) -> dict[str, Any]:
        """Return the fields that may be logged, as `EventBase.get_summary` does."""
        return super().get_summary() | {
            "error_level": self.error_level,
            "error_count": self.get_error_count(),
            "error_codes": self.get_error_codes(),
        }
