"""Codes of limits: of the number, of a pair, of the app and its accounts, and of a person's marketing messages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.backoff import RetryPolicy
from pipeline.providers.cloud.error_codes.sources import FLOWS, GRAPH, META, THROUGHPUT
from pipeline.providers.cloud.error_codes.sources import LIMITS as MESSAGING_LIMITS
from pipeline.providers.code_policy import MINUTES, Action, CodePolicy, PauseScope, pause_of

NUMBER_LIMIT: Final = 130429
"""The number is over its throughput limit."""
PAIR_LIMIT: Final = 131056
"""Too many messages from one number to one user."""

_APP_CALLS: Final = CodePolicy(
    "the app has used up its calls of the hour",
    "see the app's dashboard, and lower what else calls with this app",
    GRAPH,
    Action.RETRY,
    MINUTES,
    PauseScope.ACCOUNT,
    lowers_limit=True,
)

LIMITS: Final[Mapping[int, CodePolicy]] = MappingProxyType(
    {
        NUMBER_LIMIT: CodePolicy(
            "the number is over its throughput",
            "lower `limits.messages_per_second` to the number's real limit if it comes back",
            THROUGHPUT,
            Action.RETRY,
            RetryPolicy(max_attempts=None, initial_delay=1, max_delay=60),
            PauseScope.ACCOUNT,
            lowers_limit=True,
            by_status=True,
        ),
        PAIR_LIMIT: CodePolicy(
            "too many messages from this number to this person",
            "send this person less; only this conversation waits",
            META,
            Action.RETRY,
            RetryPolicy(max_attempts=None, initial_delay=1, factor=4, max_delay=256),
            PauseScope.PAIR,
            by_status=True,
        ),
        4: _APP_CALLS,
        613: _APP_CALLS,
        80007: CodePolicy(
            "the WhatsApp Business Account has used up its calls of the hour",
            "lower what else calls for this account, such as template management",
            GRAPH,
            Action.RETRY,
            MINUTES,
            PauseScope.ACCOUNT,
            lowers_limit=True,
        ),
        131048: CodePolicy(
            "people block or report too many messages of this number as spam",
            "stop the campaign, and see the number's quality in the WhatsApp Manager",
            META,
            retry=pause_of(600),
            pauses=PauseScope.ACCOUNT,
            alerts=True,
            by_status=True,
        ),
        131049: CodePolicy(
            "Meta held back a marketing message: this person gets too many",
            "send this person no marketing for 24 hours at least",
            META,
            by_status=True,
        ),
        131064: CodePolicy(
            "the messaging limit is reached, because templates violated a policy",
            "stop the campaign, and correct the templates in the WhatsApp Manager",
            MESSAGING_LIMITS,
            alerts=True,
            by_status=True,
        ),
        132069: CodePolicy(
            "this flow is throttled: ten an hour may be sent",
            "repair the flow's endpoint; see its quality in the WhatsApp Manager",
            FLOWS,
            Action.RETRY,
            RetryPolicy(max_attempts=None, initial_delay=360, factor=1, max_delay=360),
        ),
        133016: CodePolicy(
            "the number was registered or deregistered too often",
            "wait 72 hours, then try again",
            META,
            alerts=True,
        ),
    }
)
