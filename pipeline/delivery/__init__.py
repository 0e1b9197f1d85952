"""How commands are delivered: limits and retries. Pure logic: time and chance are passed in, nothing is awaited."""

from __future__ import annotations

from pipeline.delivery.bucket import TokenBucket
from pipeline.delivery.limiter import Limiter
from pipeline.delivery.policies import retry_policy, slows_account
from pipeline.delivery.retry import TRANSPORT, RetryPolicy, next_wait

__all__ = ["TRANSPORT", "Limiter", "RetryPolicy", "TokenBucket", "next_wait", "retry_policy", "slows_account"]
