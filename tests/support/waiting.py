"""Waiting in async tests for what can only be looked at, and the one bound of all waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

HANG: Final = 300.0
"""Seconds after which a wait is given up.

It only guards against hanging. However busy the machine is, what works comes long before it; no test passes or fails by
how long something takes.
"""


async def until(true: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until something is true. Fail after `HANG` seconds."""
    deadline = time.monotonic() + HANG
    while not (await found if isinstance(found := true(), Awaitable) else found):
        assert time.monotonic() < deadline, f"waited in vain for {HANG} s"
        await asyncio.sleep(0.005)
