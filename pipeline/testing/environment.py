"""The environment of a driver's handler: memory, or the real stack with `PIPELINE_TESTING=stack`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, Protocol

from pipeline.errors import UsageError
from pipeline.handlers import EventHandler
from pipeline.state import Store
from pipeline.testing.memory import MemoryEnvironment
from pipeline.topics.commands import Command
from pipeline.topics.events import EventBase

SWITCH: Final = "PIPELINE_TESTING"
MEMORY: Final = "memory"
STACK: Final = "stack"


class HandlerEnvironment(Protocol):
    """One handler, with rows of its own."""

    @property
    def store(self) -> Store:
        """The rows of all tenants, for any event loop."""

    async def handle(self, events: Sequence[EventBase], *, at_once: bool) -> list[Command]:
        """Handle events, side by side or one after the other, and return their commands.

        Raises the handler's errors.
        """

    def advance(self, seconds: float) -> None:
        """Let time pass for everything in `store` that expires."""


def on_stack() -> bool:
    """Return True if drivers run their handlers on the real stack: for `pytest.mark.skipif`, if a test can't run there.

    Raises `UsageError` where `PIPELINE_TESTING` is neither `stack` nor `memory`.
    """
    chosen = os.environ.get(SWITCH) or MEMORY
    if chosen not in (MEMORY, STACK):
        raise UsageError(f"{SWITCH} is {chosen!r}: set it to {STACK}, or leave it out to test in memory")
    return chosen == STACK


def environment_for(handler: EventHandler, timeout: float) -> HandlerEnvironment:
    """Return the environment that the switch selects. Raises `UsageError` for a handler that can't run there."""
    if not on_stack():
        return MemoryEnvironment(handler, timeout)
    from pipeline.testing.stack.environment import StackEnvironment  # noqa: PLC0415 (tests in memory need no Kafka client)

    return StackEnvironment(handler, timeout)
