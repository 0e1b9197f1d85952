"""The messenger: carries commands out within limits, retries them, and records the outcome of each.

`limits`, `slots`, `availability`, `controls`, `command_state`, `fates`, `contacts` and `refusals` are pure logic: time
and randomness are arguments, and nothing is awaited.
"""

from __future__ import annotations

from pipeline.messenger.policies import code_policy, retry_policy, slows_account

__all__ = ["code_policy", "retry_policy", "slows_account"]
