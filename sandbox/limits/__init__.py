"""The providers' limits as the sandbox enforces them: pure logic that takes the time as an argument.

It judges the messenger, so it shares no code with it.
"""

from pipeline.sandbox.limits.enforcer import AccountKey, ExceededLimit, LimitEnforcer, MessageKind, WindowUsage
from pipeline.sandbox.limits.settings import DEFAULT_LIMITS, NOTHING_GIVEN, WINDOWS, LimitKind, SandboxLimits

__all__ = [
    "DEFAULT_LIMITS",
    "NOTHING_GIVEN",
    "WINDOWS",
    "AccountKey",
    "ExceededLimit",
    "LimitEnforcer",
    "LimitKind",
    "MessageKind",
    "SandboxLimits",
    "WindowUsage",
]
