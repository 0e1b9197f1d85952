"""Counts what providers answered and what became of commands, by error code: of all accounts, and of each one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pipeline.metrics import ANSWER_CODES, FAILED_OUTCOMES, THROTTLES
from pipeline.providers.base import CodePolicies, Provider
from pipeline.providers.code_policy import CodePolicy
from pipeline.tenants import Account
from pipeline.topics.outcomes import Outcome, OutcomeStatus

MAX_ACCOUNTS: Final = 10_000
"""Accounts whose codes are kept; beyond them, those that failed longest ago are forgotten."""
Count = Callable[[Sequence[Outcome]], Sequence[Outcome]]
"""Counts outcomes that are about to be published, and returns them."""
OTHER: Final = "other"
NONE: Final = "none"


class CodeCounts:
    """The error codes of this process' accounts. Commands that succeed cost nothing.

    Args:
        providers: by their names. Their tables say which codes there are.
    """

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._known = {name: _codes(provider) for name, provider in providers.items()}
        self._failed: dict[tuple[str, str], Counter[str]] = {}
        for name in providers:  # a series that begins with 1 has no increase, so no alert would see the first
            ANSWER_CODES.labels(name, OTHER)

    def reset(self) -> None:
        """Forget all accounts: other workers may have their commands now."""
        self._failed.clear()

    def answered(self, tenant: str, provider: str, code: int, policy: CodePolicy) -> None:
        """Count an answer with an error."""
        ANSWER_CODES.labels(provider, self._label(provider, code)).inc()
        if policy.lowers_limit:
            THROTTLES.labels(tenant, provider).inc()

    def count(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """Count the failed ones among outcomes that are about to be published. Return all."""
        for outcome in outcomes:
            if outcome.status is OutcomeStatus.FAILED and outcome.reason is None:
                self._count(outcome)
        return outcomes

    def _count(self, outcome: Outcome) -> None:
        label = self._label(outcome.provider, outcome.error_code)
        FAILED_OUTCOMES.labels(outcome.provider, label).inc()
        key = outcome.provider, outcome.account
        codes = self._failed[key] = self._failed.pop(key, Counter())
        codes[label] += 1
        if len(self._failed) > MAX_ACCOUNTS:
            del self._failed[next(iter(self._failed))]

    def describe(self, account: Account) -> dict[str, Any]:
        """Return the failed outcomes of an account, by code. Nothing if there is none."""
        found = self._failed.get((account.provider, account.id))
        return {"failed_outcomes": dict(found)} if found else {}

    def _label(self, provider: str, code: int | None) -> str:
        """Return the label of a code. Providers may invent codes, so those without a row share one."""
        if code is None:
            return NONE
        return str(code) if code in self._known.get(provider, ()) else OTHER


def do_not_count(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Return the outcomes: where nobody asks for metrics."""
    return outcomes


def _codes(provider: Provider) -> frozenset[int]:
    return frozenset({*provider.codes.codes, *provider.codes.statuses} if isinstance(provider, CodePolicies) else ())
