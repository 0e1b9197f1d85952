"""Wasender's error codes. They are HTTP statuses, because Wasender has none of its own."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from pipeline.backoff import TRANSPORT, RetryPolicy
from pipeline.providers.code_policy import (
    PROXY_IN_DOUBT,
    RFC_9110,
    Action,
    CodePolicy,
    CodeTable,
    PauseScope,
    Source,
    pause_of,
)

WASENDER: Final = Source("Wasender", "https://wasenderapi.com/api-docs")
CLOUDFLARE: Final = Source(
    "Cloudflare", "https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/"
)

RATE_LIMITED: Final = 429
"""The session's limit: of its plan, of the day, or one message in 5 s under account protection."""

_NOT_PROCESSED: Final = CodePolicy(
    "the request was not processed", "nothing; it goes on by itself", RFC_9110, Action.RETRY, TRANSPORT
)
_NO_SERVER: Final = CodePolicy(
    "Wasender's proxy reached no server", "nothing; it goes on by itself", CLOUDFLARE, Action.RETRY, TRANSPORT
)

TABLE: Final = CodeTable(
    codes=MappingProxyType(
        {
            200: CodePolicy(
                "a success that says `success: false`", "read the outcome's text, which Wasender wrote", WASENDER
            ),
            400: CodePolicy("Wasender can't read what was asked", "correct what the handler sends", WASENDER),
            401: CodePolicy(
                "the session's API key is not accepted",
                "put the new key into the tenants file, and restart the messengers",
                WASENDER,
                retry=pause_of(300),
                pauses=PauseScope.ACCOUNT,
                alerts=True,
            ),
            404: CodePolicy("the message to change, or the path, is not known", "read the outcome's text", WASENDER),
            408: _NOT_PROCESSED,
            422: CodePolicy(
                "a field is wrong, or the recipient is not on WhatsApp",
                "correct the field that the outcome's text names",
                WASENDER,
            ),
            425: _NOT_PROCESSED,
            RATE_LIMITED: CodePolicy(
                "the session has sent too much for its plan or its account protection",
                "lower `limits.messages_per_second` to what the plan allows",
                WASENDER,
                Action.RETRY,
                RetryPolicy(max_attempts=None, initial_delay=1, max_delay=60),
                PauseScope.ACCOUNT,
                lowers_limit=True,
            ),
            **dict.fromkeys(range(500, 600), PROXY_IN_DOUBT),
            503: _NOT_PROCESSED,
            **dict.fromkeys((521, 523, 525, 526), _NO_SERVER),
        }
    ),
    other=CodePolicy("any other status", "read the outcome's text", WASENDER),
)
