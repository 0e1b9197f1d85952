"""Error codes that WAHA and Wawp have in common. They are HTTP statuses; each adds its own in its `error_codes`.

500, 502 and 504 with an error in the body are retried a few times, like Meta's code 131000: the gateway answered, and
the answer is a failure. Without one they come from a proxy, and do not say whether the message was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from pipeline.backoff import RetryPolicy
from pipeline.providers.code_policy import (
    OTHER_STATUS,
    PROXY_IN_DOUBT,
    RFC_9110,
    Action,
    CodePolicy,
    CodeTable,
    PauseScope,
    Source,
    pause_of,
)

ACCOUNT_LIMIT: Final = 429
"""The session is over its limit per minute or per day."""
NOT_WORKING: Final = 422
"""The session is starting, or the phone must be linked again."""

_FEW: Final = RetryPolicy(max_attempts=5, initial_delay=2, max_delay=30)


def _few(meaning: str, advice: str = "see the gateway's log if many fail") -> CodePolicy:
    return CodePolicy(meaning, advice, RFC_9110, Action.RETRY, _FEW)


_COMMON: Final[Mapping[int, CodePolicy]] = MappingProxyType(
    {
        400: CodePolicy("the gateway can't read or do what was asked", "correct what the handler sends", RFC_9110),
        401: CodePolicy(
            "the gateway does not accept the account's token",
            "put the right token into the tenants file, and restart the messengers",
            RFC_9110,
            retry=pause_of(300),
            pauses=PauseScope.ACCOUNT,
            alerts=True,
        ),
        404: CodePolicy("the chat, the message or the session is not known", "read the outcome's text", RFC_9110),
        408: _few("the gateway had no time for the request"),
        NOT_WORKING: CodePolicy(
            "the session is starting, or its phone is not linked any more",
            "restart the session; link the phone again if it asks for that",
            RFC_9110,
            Action.RETRY,
            RetryPolicy(max_attempts=None, initial_delay=5, max_delay=300),
            PauseScope.ACCOUNT,
            alerts=True,
        ),
        425: _few("the gateway was not ready for the request"),
        ACCOUNT_LIMIT: CodePolicy(
            "the session has sent too much, for the minute or the day",
            "lower `limits.messages_per_second` to what the gateway allows",
            RFC_9110,
            Action.RETRY,
            RetryPolicy(max_attempts=None, initial_delay=60, max_delay=3600),
            PauseScope.ACCOUNT,
            lowers_limit=True,
        ),
        500: _few("an error inside the gateway"),
        502: _few("the gateway got no answer from WhatsApp"),
        503: CodePolicy(
            "the gateway is away for now",
            "look at the gateway; it goes on by itself",
            RFC_9110,
            Action.RETRY,
            RetryPolicy(max_attempts=None, initial_delay=2, max_delay=60),
        ),
        504: _few("WhatsApp took the gateway too long"),
    }
)
"""Rows by HTTP status, which each gateway gives its own documents as the source."""
_IN_DOUBT: Final = {status: PROXY_IN_DOUBT for status in range(500, 600) if status != 503}


def table(source: Source, own: Mapping[int, CodePolicy]) -> CodeTable:
    """Return the table of a gateway. `own`: the rows that differ from the common ones."""
    codes = {code: replace(policy, source=source) for code, policy in _COMMON.items()} | dict(own)
    return CodeTable(
        codes=MappingProxyType(codes),
        other=CodePolicy("any other error of the gateway", "read the outcome's text", source),
        statuses=MappingProxyType({**codes, **_IN_DOUBT}),
        other_status=OTHER_STATUS,
    )
