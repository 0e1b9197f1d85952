"""Carries commands out: limits, retries, connections, and what became of each command.

`bucket`, `limiter` and `command_state` are pure logic: time and chance are passed in, nothing is awaited.
"""

from __future__ import annotations

from pipeline.messenger.bucket import TokenBucket
from pipeline.messenger.limiter import Limiter
from pipeline.messenger.policies import retry_policy, slows_account

__all__ = ["Limiter", "TokenBucket", "retry_policy", "slows_account"]
