"""The outcome policy: one row per error code of a provider says what the messenger does with the command.

A provider has its rows in `error_codes`, in a `CodeTable`. `pipeline.messenger.code_policy` finds one. The page
docs/error-codes.md is generated from the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from pipeline.backoff import TRANSPORT, RetryPolicy


class Action(StrEnum):
    """The next step for a command whose attempt failed."""

    RETRY = "retry"
    """It was not done, so it is tried again."""
    PERMANENT = "permanent"
    """It fails, because trying again would not help."""
    IN_DOUBT = "in doubt"
    """It may have been done, so it waits for its status webhook."""


class PauseScope(StrEnum):
    """The sends that wait together after a code."""

    PAIR = "pair"
    """Those of this account to this recipient."""
    ACCOUNT = "account"
    """All of this account. Read marks go on, because they are no messages."""


class Source(NamedTuple):
    """The document that a row rests on."""

    name: str
    url: str


FEW: Final = RetryPolicy(max_attempts=5, initial_delay=1, max_delay=30)
"""Tries of an error that may pass and of which nobody knows when."""
MINUTES: Final = RetryPolicy(max_attempts=None, initial_delay=60, max_delay=600)
"""Tries of a limit that is counted by the hour."""


def pause_of(seconds: float) -> RetryPolicy:
    """Return the policy of a code that fails its command and pauses the account for so many seconds."""
    return RetryPolicy(max_attempts=1, initial_delay=seconds, factor=1, max_delay=seconds)


@dataclass(frozen=True, slots=True)
class CodePolicy:
    """One row of the table.

    Attributes:
        meaning: the error in plain words, for a person.
        advice: what the operator or the sender can do about it.
        source: the document that says so.
        action: what becomes of the command.
        retry: the seconds until the next tries, and their number. They are also the length of the pause.
        pauses: whose sends wait for as long.
        lowers_limit: the account sent too fast, so its learnt limit goes down. A pause without it is a mere rest.
        alerts: nothing of the kind goes out until a person acts, so the operator is told.
        by_status: a status webhook may bring the code later, after the provider accepted the command.
    """

    meaning: str
    advice: str
    source: Source
    action: Action = Action.PERMANENT
    retry: RetryPolicy = FEW
    pauses: PauseScope | None = None
    lowers_limit: bool = False
    alerts: bool = False
    by_status: bool = False

    @property
    def pauses_pair(self) -> bool:
        return self.pauses is PauseScope.PAIR

    @property
    def pauses_account(self) -> bool:
        return self.pauses is PauseScope.ACCOUNT


@dataclass(frozen=True, slots=True)
class CodeTable:
    """All rows of one provider.

    Attributes:
        codes: by the error code in an answer. Gateways have no codes, so theirs are HTTP statuses.
        other: any other code.
        statuses: by the HTTP status of an answer that has no error of the provider, such as a proxy's.
        other_status: any other status.
        transient: a code without a row whose answer says that the error may pass; None if no answer can say so.
    """

    codes: Mapping[int, CodePolicy]
    other: CodePolicy
    statuses: Mapping[int, CodePolicy] = field(default_factory=lambda: MappingProxyType({}))
    other_status: CodePolicy | None = None
    transient: CodePolicy | None = None

    def policy(self, error_code: int) -> CodePolicy:
        """Return the row of an attempt's code, which is an HTTP status if the answer had no code."""
        return self.codes.get(error_code) or self.statuses.get(error_code) or self.other

    def status_policy(self, status: int) -> CodePolicy:
        """Return the row of an answer without an error of the provider."""
        return self.statuses.get(status) or self.other_status or self.other


RFC_9110: Final = Source("RFC 9110", "https://www.rfc-editor.org/rfc/rfc9110#name-status-codes")
ARCHITECTURE: Final = Source("sends in doubt", "architecture.md#a-send-in-doubt")
AVAILABILITY: Final = Source("calls to providers", "reliability.md#calls-to-providers")

UNREACHED: Final = CodePolicy(
    "the provider could not be reached, so nothing was sent",
    "look at the network and the gateway; it goes on by itself",
    AVAILABILITY,
    Action.RETRY,
    TRANSPORT,
)
"""An attempt without a code: there was no answer, and no request was written."""
CUT_OFF: Final = CodePolicy(
    "the request was written, and no answer came",
    "nothing; `in_doubt` of the tenant decides when no status comes",
    ARCHITECTURE,
    Action.IN_DOUBT,
    TRANSPORT,
)
"""An attempt without a code whose request was written."""

_PROXY_BUSY: Final = CodePolicy("a proxy did not pass the request on", "nothing", RFC_9110, Action.RETRY, TRANSPORT)
PROXY_AWAY: Final = CodePolicy(
    "a proxy found no server behind it", "look at the gateway; it goes on by itself", RFC_9110, Action.RETRY, TRANSPORT
)
PROXY_IN_DOUBT: Final = CodePolicy(
    "the server or its proxy failed, and may have sent the message before",
    "nothing; `in_doubt` of the tenant decides when no status comes",
    ARCHITECTURE,
    Action.IN_DOUBT,
    TRANSPORT,
)
PROXY_THROTTLED: Final = CodePolicy(
    "too many requests, by the HTTP status alone",
    "nothing; lower `limits.messages_per_second` if it comes back",
    RFC_9110,
    Action.RETRY,
    RetryPolicy(max_attempts=None, initial_delay=1, max_delay=60),
    PauseScope.ACCOUNT,
    lowers_limit=True,
)
PROXY_STATUSES: Final[Mapping[int, CodePolicy]] = MappingProxyType(
    {
        408: _PROXY_BUSY,
        425: _PROXY_BUSY,
        429: PROXY_THROTTLED,
        **dict.fromkeys(range(500, 600), PROXY_IN_DOUBT),
        503: PROXY_AWAY,
    }
)
"""HTTP statuses of answers that have no error of the provider. Any other is permanent."""
OTHER_STATUS: Final = CodePolicy(
    "the answer has no error code, and its HTTP status is none of these",
    "compare the account's `base_url` with the provider's documents",
    RFC_9110,
)
