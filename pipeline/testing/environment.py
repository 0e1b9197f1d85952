"""Where a driver's handler runs: in memory, or on the real stack with `PIPELINE_TESTING=stack`."""

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
    """One handler, with rows that nobody else has."""

    @property
    def store(self) -> Store:
        """The rows of all tenants, for any event loop."""

    async def handle(self, events: Sequence[EventBase], *, at_once: bool) -> list[Command]:
        """Handles events, side by side or one after the other; gives their commands. Raises what the handler raises."""

    def advance(self, seconds: float) -> None:
        """Lets time pass for everything in `store` that expires."""


def on_stack() -> bool:
    """Whether drivers run their handlers on the real stack: for `pytest.mark.skipif`, where a test can't be there.

    Raises `UsageError` where `PIPELINE_TESTING` is neither `stack` nor `memory`.
    """
    chosen = os.environ.get(SWITCH) or MEMORY
    if chosen not in (MEMORY, STACK):
        raise UsageError(f"{SWITCH} is {chosen!r}: set it to {STACK}, or leave it out to test in memory")
    return chosen == STACK


def environment_for(handler: EventHandler, timeout: float) -> HandlerEnvironment:
    """Where the switch says. Raises `UsageError` for a handler that can't be there."""
    if not on_stack():
        return MemoryEnvironment(handler, timeout)
    from pipeline.testing.stack.environment import StackEnvironment  # noqa: PLC0415 (tests in memory need no Kafka client)

    return StackEnvironment(handler, timeout)
