"""Waiting in async tests for what can only be looked at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(true: Callable[[], bool | Awaitable[bool]], within: float = 10.0) -> None:
    """Waits for something to be true; fails when it is not within so many seconds."""
    deadline = time.monotonic() + within
    while not (await found if isinstance(found := true(), Awaitable) else found):
        assert time.monotonic() < deadline, f"waited in vain for {within} s"
        await asyncio.sleep(0.005)
