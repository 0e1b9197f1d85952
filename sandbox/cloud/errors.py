"""The Graph API's errors, as its responses and webhooks show them.

Codes, statuses and titles: Meta's page on Cloud API error codes. Details are Meta's own if a response is known.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any, Final, NamedTuple

import orjson

HREF: Final = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"


class Known(NamedTuple):
    """An error that Meta documents. `http` is the status of the response."""

    http: int
    title: str
    details: str


KNOWN: Final = {
    1: Known(400, "API Unknown", "Invalid request or possible server error."),
    2: Known(503, "API Service", "Temporary due to downtime or due to being overloaded."),
    4: Known(400, "Application request limit reached", "The app has reached its API call rate limit."),
    368: Known(403, "Temporarily blocked for policies violations", "The account has been restricted or disabled."),
    80007: Known(400, "Rate limit issues", "The WhatsApp Business Account has reached its rate limit."),
    130429: Known(400, "Rate limit hit", "Cloud API message throughput has been reached."),
    130472: Known(
        400,
        "User's number is part of an experiment",
        "Failed to send message because this user's phone number is part of an experiment",
    ),
    131000: Known(500, "Something went wrong", "Message failed to send due to an unknown error."),
    131005: Known(403, "Access denied", "Permission is either not granted or has been removed."),
    131008: Known(400, "Required parameter is missing", "The request is missing a required parameter."),
    131009: Known(400, "Parameter value is not valid", "One or more parameter values are invalid."),
    131016: Known(503, "Service unavailable", "A service is temporarily unavailable."),
    131021: Known(400, "Recipient cannot be sender", "Sender and recipient phone number is the same."),
    131026: Known(400, "Message undeliverable", "Message Undeliverable."),
    131030: Known(
        400,
        "Recipient phone number not in allowed list",
        "Recipient phone number not in allowed list: Add recipient phone number to recipient list and try again.",
    ),
    131031: Known(403, "Business Account locked", "The WhatsApp Business Account has been restricted or disabled."),
    131042: Known(400, "Business eligibility payment issue", "There was an error related to your payment method."),
    131047: Known(
        400,
        "Re-engagement message",
        "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
    ),
    131048: Known(
        400,
        "Spam rate limit hit",
        "Message failed to send because there are restrictions on how many messages can be sent from this phone"
        " number.",
    ),
    131049: Known(
        400,
        "Meta chose not to deliver",
        "This message was not delivered to maintain healthy ecosystem engagement.",
    ),
    131050: Known(400, "User has stopped marketing messages", "The user chose to stop marketing messages."),
    131051: Known(400, "Message type unknown", "Message type is currently not supported."),
    131053: Known(400, "Media upload error", "Unable to upload the media used in the message."),
    131056: Known(
        400,
        "(Business Account, Consumer Account) pair rate limit hit",
        "Message failed to send because there were too many messages sent from this phone number to the same phone"
        " number in a short period of time",
    ),
    131057: Known(503, "Account in maintenance mode", "Business Account is in maintenance mode"),
    132001: Known(404, "Template name does not exist in the translation", "The template does not exist."),
    132012: Known(400, "Parameter format does not match format in the created template", "Parameter format mismatch."),
    132018: Known(
        400,
        "There's an issue with the parameters in your template",
        "Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
    ),
    135000: Known(400, "Generic user error", "Message failed to send because of an unknown error."),
}
_UNLISTED: Final = Known(400, "Something went wrong", "The sandbox was told to answer with this code.")
_TRANSIENT: Final = frozenset({1, 2, 131000, 131016})


class GraphError(Exception):
    """A request that the Graph API rejects."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        http: int = 400,
        kind: str = "OAuthException",
        details: str | None = None,
        subcode: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.http = http
        self._message = message
        self._kind = kind
        self._details = details
        self._subcode = subcode

    def body(self) -> bytes:
        """Return the body of the response, with a new trace id."""
        error: dict[str, Any] = {"message": self._message, "type": self._kind, "code": self.code}
        if self._details is not None:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self._details}
        if self._subcode is not None:
            error["error_subcode"] = self._subcode
        if self.code in _TRANSIENT:
            error["is_transient"] = True
        error["fbtrace_id"] = _trace_id()
        return orjson.dumps({"error": error})


def bad_token() -> GraphError:
    return GraphError(190, "Invalid OAuth access token - Cannot parse access token", http=401)


def no_such_object(identifier: str) -> GraphError:
    return GraphError(
        100,
        f"Unsupported post request. Object with ID '{identifier}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
        kind="GraphMethodException",
        subcode=33,
    )


def missing(name: str) -> GraphError:
    return GraphError(100, f"(#100) The parameter {name} is required.")


def wrong(message: str) -> GraphError:
    return GraphError(100, f"(#100) {message}")


def invalid(details: str) -> GraphError:
    return GraphError(100, "(#100) Invalid parameter", details=details)


def known(code: int, *, http: int | None = None, details: str | None = None) -> GraphError:
    """Return an error by its code, with Meta's text."""
    error = KNOWN.get(code, _UNLISTED)
    text = error.details if details is None else details
    return GraphError(code, f"(#{code}) {error.title}", http=http or error.http, details=text)


def reported(code: int) -> dict[str, Any]:
    """Return an error in the form of a `failed` status."""
    error = KNOWN.get(code, _UNLISTED)
    data = {"details": error.details}
    return {"code": code, "title": error.title, "message": error.title, "error_data": data, "href": HREF}


def _trace_id() -> str:
    return "A" + base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
