"""Limits of a session by its plan, as its responses show them. Figures: Wasender, rate limits.

Account protection overrides the plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from pipeline.sandbox.limits import WINDOWS, LimitKind, SandboxLimits, WindowUsage

PLANS: Final[Mapping[str, SandboxLimits]] = {
    "paid": SandboxLimits(messages_per_minute=256),
    "protected": SandboxLimits(seconds_between=5),
    "trial": SandboxLimits(messages_per_minute=1, messages_per_day=50),
}
_WORDS: Final[Mapping[tuple[str, LimitKind], str]] = {
    ("trial", "messages_per_minute"): "You are on a free trial. You can only send 1 message every 1 minute.",
    ("protected", "seconds_between"): "You have account protection on. You can only send 1 message every 5 seconds.",
}


def words(kind: LimitKind, plan: str) -> str:
    """Return the message of the error. Wasender documents the one of its trial."""
    if kind not in WINDOWS:
        return "Too Many Attempts."
    return _WORDS.get((plan, kind), f"You have reached the limit of messages of your plan ({plan}).")


def rate_limit_headers(usage: WindowUsage) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(usage.limit),
        "X-RateLimit-Remaining": str(usage.remaining),
        "X-RateLimit-Reset": str(math.ceil(usage.resets_in)),
    }
