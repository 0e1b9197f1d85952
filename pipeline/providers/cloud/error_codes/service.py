"""Codes of errors at Meta that may pass by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pipeline.backoff import RetryPolicy
from pipeline.providers.cloud.error_codes.sources import META, PYWA, THROUGHPUT
from pipeline.providers.code_policy import Action, CodePolicy, PauseScope, Source

_STATUS_PAGE: Final = "see metastatus.com if many fail; send again if you need to"
_MEDIA: Final = RetryPolicy(max_attempts=3, initial_delay=2)
_MAINTENANCE: Final = RetryPolicy(max_attempts=None, initial_delay=60, factor=1)
"""Meta says that an upgrade of the throughput takes up to a minute."""


def _passing(meaning: str, source: Source = META, *, by_status: bool = False) -> CodePolicy:
    return CodePolicy(meaning, _STATUS_PAGE, source, Action.RETRY, by_status=by_status)


SERVICE: Final[Mapping[int, CodePolicy]] = MappingProxyType(
    {
        1: _passing("an unknown error of the API"),
        2: _passing("the API is down or overloaded"),
        131000: _passing("an unknown error", by_status=True),
        131016: _passing("a service of Meta's is unavailable", by_status=True),
        135000: _passing("an error that Meta does not explain", by_status=True),
        131052: CodePolicy(
            "a medium that a person sent could not be downloaded",
            "ask the person to send it again",
            META,
            Action.RETRY,
            _MEDIA,
            by_status=True,
        ),
        131053: CodePolicy(
            "the medium of the message could not be fetched or read",
            "check its link, type and size; upload it again",
            META,
            Action.RETRY,
            _MEDIA,
            by_status=True,
        ),
        131057: CodePolicy(
            "the number is in maintenance, or its throughput is being upgraded",
            "nothing; an upgrade takes a minute",
            THROUGHPUT,
            Action.RETRY,
            _MAINTENANCE,
            PauseScope.ACCOUNT,
            by_status=True,
        ),
        2494100: CodePolicy(
            "the number is in maintenance, while it is moved",
            "nothing; it passes when the number has moved",
            PYWA,
            Action.RETRY,
            _MAINTENANCE,
            PauseScope.ACCOUNT,
        ),
    }
)
