"""Waiting for what can only be looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TICK = 0.005
"""Seconds between two looks."""


async def until(condition: Callable[[], bool], tick: float = TICK) -> None:
    while not condition():  # noqa: ASYNC110 (what is measured sets no event)
        await asyncio.sleep(tick)
