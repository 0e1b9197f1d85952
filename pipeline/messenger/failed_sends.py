"""Tell of sends that failed: the code, what it means and what to do; never the person's number nor a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pipeline.line_limit import LineLimit
from pipeline.logging import get_logger
from pipeline.messenger.policies import code_policy
from pipeline.providers.base import Provider
from pipeline.topics.outcomes import Outcome, OutcomeStatus

log = get_logger(__name__)

Tell = Callable[[Outcome], Outcome]
"""Returns an outcome, and tells of it if it is a failure."""
LINES: Final = 20
"""Lines about one code of an account in 10 seconds. A campaign may fail as a whole."""


class FailedSends:
    """Writes a log line about each send that a provider refused, at once or by a status webhook."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers
        self._limit = LineLimit(LINES)

    def tell(self, outcome: Outcome) -> Outcome:
        """Return the outcome, and log it if the send failed."""
        if outcome.status is OutcomeStatus.FAILED:
            self._log(outcome)
        return outcome

    def _log(self, outcome: Outcome) -> None:
        suppressed = self._limit.admit((outcome.account_key, outcome.error_code, outcome.reason))
        if suppressed is not None:
            log.warning(
                "send_failed",
                tenant=outcome.tenant_id,
                provider=outcome.provider,
                account=outcome.account,
                command_id=outcome.command_id,
                event_id=outcome.event_id,
                retried=outcome.retried,
                by_status=bool(outcome.by_status),
                **self._explain(outcome),
                **({"suppressed": suppressed} if suppressed else {}),
            )

    def _explain(self, outcome: Outcome) -> dict[str, object]:
        """Return the code with its meaning and the advice; without a code, the reason in our own words."""
        provider = self._providers.get(outcome.provider)
        if outcome.error_code is None or provider is None:
            return {"code": outcome.reason, "detail": "" if outcome.by_status else outcome.error_message or ""}
        policy = code_policy(provider, outcome.error_code)
        return {"code": outcome.error_code, "detail": f"{policy.meaning}: {policy.advice}"}
