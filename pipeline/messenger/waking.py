"""Waits that somebody ends: for a permit, or for a connection slot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

Sleep = Callable[[float], Awaitable[None]]
"""Sleeps so many seconds. Raises if partitions move."""


class Wakeable(Protocol):
    """Something that is waited for. It calls `wake` when the wait is over."""

    wake: Callable[[], None]


def do_nothing() -> None:
    """Wake nobody."""


async def wait_briefly(waiter: Wakeable, seconds: float) -> None:
    """Wait until the waiter is woken, for so long at most. It costs a fifth of a wait that partitions interrupt."""
    loop = asyncio.get_running_loop()
    woken = loop.create_future()
    waiter.wake = partial(_resolve, woken)
    timer = loop.call_later(seconds, waiter.wake)
    try:
        await woken
    finally:
        timer.cancel()
        waiter.wake = do_nothing


async def sleep_until_woken(waiter: Wakeable, wait: Sleep, seconds: float) -> None:
    """Wait until the waiter is woken, for so long at most, in a way that `wait` knows to interrupt."""
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as waking:
            waiter.wake = partial(waking.reschedule, asyncio.get_running_loop().time())  # a time that is past: at once
            try:
                await wait(seconds)
            finally:
                waiter.wake = do_nothing


def _resolve(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
