"""Wasender's errors: an HTTP status, a message, and the errors of each field."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

_MESSAGES: Final = {
    401: "Invalid API key.",
    404: "Message not found.",
    408: "Request timeout.",
    500: "Server Error",
    503: "Service Unavailable",
}


class ApiError(Exception):
    """A request that Wasender rejects. `body` is the JSON of the response."""

    def __init__(self, http: int, message: str | None = None, **more: Any) -> None:
        super().__init__(http)
        self.http = http
        self.body = {"success": False, "message": message or _MESSAGES.get(http, f"HTTP {http}"), **more}


def invalid(errors: Mapping[str, str]) -> ApiError:
    return ApiError(422, "Validation failed", errors={field: [words] for field, words in errors.items()})


def no_such_jid() -> ApiError:
    """Return the error for a linked id."""
    return ApiError(422, "The provided JID does not exist on WhatsApp")


def over_limit(message: str, wait: float) -> ApiError:
    """Return the error of a limit. `wait` is in seconds."""
    error = ApiError(429)
    error.body = {"message": message, "retry_after": max(1, math.ceil(wait))}
    return error
