"""The messenger: carries commands out within limits, retries them, and records the outcome of each.

`bucket`, `limiter`, `slots`, `availability` and `command_state` are pure logic: time and randomness are arguments, and
nothing is awaited.
"""

from __future__ import annotations

from pipeline.messenger.bucket import TokenBucket
from pipeline.messenger.limiter import Limiter
from pipeline.messenger.policies import retry_policy, slows_account

__all__ = ["Limiter", "TokenBucket", "retry_policy", "slows_account"]
