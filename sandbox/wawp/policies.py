"""Rate policies of an instance, and their form in `/v2/session/rate-limit`.

Wawp names the fields and its two free policies, but publishes no figures and no response: both are the sandbox's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.sandbox.core import Plan
from pipeline.sandbox.limits import SandboxLimits
from pipeline.sandbox.types import JsonObject

_LIMITS: Final[Mapping[str, SandboxLimits]] = {
    "strict": SandboxLimits(messages_per_minute=5, messages_per_day=100, seconds_between=10),
    "standard_policy": SandboxLimits(messages_per_minute=20, messages_per_day=1000, seconds_between=2),
    "unlimited": SandboxLimits(),
}
POLICIES: Final = {slug: Plan(f"policy: {slug}", limits) for slug, limits in _LIMITS.items()}
"""The policies by their `policy_slug`. Wawp's other policies cost money; here `unlimited` stands for them."""


def rate_policy(slug: str, limits: SandboxLimits) -> JsonObject:
    """Return the body of `/v2/session/rate-limit`. The sandbox has no limits of groups and checks: null."""
    return {
        "policy_slug": slug,
        "limits": {
            "send_message_per_minute": limits.messages_per_minute,
            "send_message_daily_cap": limits.messages_per_day,
            "account_protection_seconds": limits.seconds_between,
            "concurrent_limit": None,
            "group_req_per_minute": None,
            "group_daily_cap": None,
            "check_req_per_minute": None,
            "check_daily_cap": None,
        },
    }
