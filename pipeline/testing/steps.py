"""A worker in memory that can be stopped at every step: before and after each read, commit and publish."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from pipeline.handlers import EventHandler
from pipeline.settings import Settings
from pipeline.state import MemoryStore, Store
from pipeline.state.encoding import Fields
from pipeline.testing.memory import OneHandler
from pipeline.testing.webhooks import sample_tenants
from pipeline.testing.wrapped import WrappedStore
from pipeline.topics.commands import Command
from pipeline.topics.events import EventBase

Result = TypeVar("Result")
Step = Callable[[], Awaitable[None]]


class InspectableStore(MemoryStore):
    """A store that outlives the workers and shows its rows."""

    def rows_of(self, tenant: str) -> dict[str, Fields]:
        """Return the rows of a tenant, without the records of its finished events."""
        mine, units = f"{{{tenant}}}:", f"{{{tenant}}}:unit:"
        return {
            key: dict(row.fields)
            for key, row in self._rows.items()
            if key.startswith(mine) and not key.startswith(units)
        }


class SteppedStore(WrappedStore):
    """A store that calls a step before and after every call of the store it wraps."""

    def __init__(self, store: Store, step: Step) -> None:
        super().__init__(store)
        self._step = step

    async def _forward(self, call: Coroutine[Any, Any, Result]) -> Result:
        try:
            await self._step()
        except BaseException:
            call.close()  # an unstarted coroutine would warn that it was never awaited
            raise
        result = await call
        await self._step()
        return result


class SteppedWorker:
    """One worker over shared rows and a shared topic: handles events in order and publishes their commands.

    Args:
        topic: what is published, by whichever worker, in order.
        step: awaited before and after everything that is seen from outside.
    """

    def __init__(self, handler: EventHandler, rows: Store, topic: list[Command], step: Step) -> None:
        settings = Settings(handler_timeout=30, cache="memory")
        self._runner = OneHandler(handler, settings, sample_tenants(), SteppedStore(rows, step))
        self._topic = topic
        self._step = step
        self.finished = 0

    async def work(self, events: Sequence[EventBase]) -> None:
        """Handle the events; `finished` counts the offsets that it would commit."""
        for event in events:
            for command in await self._runner.run(event, self._publish):
                await self._publish(command)
            await self._step()
            self.finished += 1

    async def _publish(self, command: Command) -> None:
        await self._step()
        self._topic.append(command)
        await self._step()
