"""The environment on the real stack: Kafka, Redis, and a worker process with the test's handler."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from pipeline.errors import PipelineError, Unavailable, UsageError
from pipeline.handlers import EventHandler
from pipeline.state import Store
from pipeline.testing.stack.clients import PublishedRecord
from pipeline.testing.stack.failures import rebuild_exception
from pipeline.testing.stack.imports import path_of
from pipeline.testing.stack.servers import COMMANDS, LETTERS, OUTPUTS, servers, worker_spec
from pipeline.testing.wrapped import WrappedStore
from pipeline.topics.codec import decode_command
from pipeline.topics.commands import Command
from pipeline.topics.dead_letters import DeadLetter, parse_dead_letter
from pipeline.topics.events import EventBase

Result = TypeVar("Result")

PROGRESS_TIMEOUT: Final = 10.0
"""Time without a finished event after which a test fails, in seconds, beyond the handler's own timeout."""
POLL_INTERVAL: Final = 0.02
"""Time between two reads of the committed offsets, in seconds."""


class StackEnvironment:
    """A `HandlerEnvironment` on the real stack. It starts without rows and ends when the next one is made."""

    def __init__(self, handler: EventHandler, timeout: float) -> None:
        self._path = path_of(handler)
        self._module = handler.__module__
        self._timeout = timeout
        self._servers = servers()
        self._clients = self._servers.clients
        self._servers.loop.run(self._begin())
        self._servers.holder = self
        self.store: Store = _FarStore(self._clients.store, self)

    async def handle(self, events: Sequence[EventBase], *, at_once: bool) -> list[Command]:
        """Handle events, side by side or one after the other, and return their commands.

        Raises the handler's errors.
        """
        self._require_current()
        self._worker = self._servers.worker(worker_spec(self._path, self._timeout))
        return await self.run_in_clients_loop(self._handle([events] if at_once else [[event] for event in events]))

    def advance(self, seconds: float) -> None:
        """Let time pass for everything in `store` that expires."""
        self._require_current()
        self._servers.loop.run(self._clients.age_rows(seconds))

    async def run_in_clients_loop(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine in the event loop of the clients and return its result."""
        try:
            self._require_current()
        except UsageError:
            work.close()
            raise
        return await self._servers.loop.run_async(work)

    def _require_current(self) -> None:
        if self._servers.holder is not self:
            raise UsageError(
                "this HandlerDriver is over: on the real stack one has its rows to itself until the next is made, so "
                "finish with it first"
            )

    async def _begin(self) -> None:
        await self._clients.forget_rows()
        for topic in OUTPUTS:
            await self._clients.read_new(topic.name)

    async def _handle(self, batches: Sequence[Sequence[EventBase]]) -> list[Command]:
        async with self._clients.read_lock:
            return [command for events in batches for command in await self._handle_batch(events)]

    async def _handle_batch(self, events: Sequence[EventBase]) -> list[Command]:
        published = [await self._clients.publish(event, self._worker.topic.name) for event in events]
        await self._until_committed(published)
        made = [decode_command(record) for topic in COMMANDS for record in await self._clients.read_new(topic.name)]
        letters = {_origin(letter): letter for letter in await self._letters()}
        for place in published:
            if place in letters:
                raise rebuild_exception(letters[place], self._module)
        return _in_order(made, events)

    async def _letters(self) -> list[DeadLetter]:
        entries = [parse_dead_letter(record) for record in await self._clients.read_new(LETTERS.name)]
        return [entry for entry in entries if isinstance(entry, DeadLetter)]

    async def _until_committed(self, published: Sequence[PublishedRecord]) -> None:
        """Wait until the records are committed.

        Their commands are acknowledged before, so all of them can be read then.
        """
        left, since = len(published), time.monotonic()
        while now := await self._clients.count_uncommitted(self._worker.group, published):
            if now < left:
                left, since = now, time.monotonic()
            self._require_progress(time.monotonic() - since)
            await asyncio.sleep(POLL_INTERVAL)

    def _require_progress(self, idle: float) -> None:
        if not self._worker.running:
            raise PipelineError(f"the worker has ended; its last log line: {self._worker.last_log_line}")
        if idle > self._timeout + PROGRESS_TIMEOUT:
            self._worker.kill()  # its events would go on and write to the next test's rows
            raise Unavailable(
                f"the worker finished nothing in {idle:.0f} s: its handler raises Unavailable or takes too "
                "long, run the test in memory to see which"
            )


class _FarStore(WrappedStore):
    """The stack's Redis, for any event loop."""

    def __init__(self, store: Store, environment: StackEnvironment) -> None:
        super().__init__(store)
        self._environment = environment

    async def _forward(self, asked: Coroutine[Any, Any, Result]) -> Result:
        return await self._environment.run_in_clients_loop(asked)


def _origin(letter: DeadLetter) -> PublishedRecord:
    return PublishedRecord(letter.origin_topic, letter.origin_partition, letter.origin_offset)


def _in_order(made: Sequence[Command], events: Sequence[EventBase]) -> list[Command]:
    """Sort commands by event, and by the order in which each event's handler asked for them.

    Read marks are on their topic before all others. Commands of other events, from a worker that was killed, are left
    out.
    """
    place = {event.event_id: number for number, event in enumerate(events)}
    mine = [command for command in made if command.event_id in place]
    return sorted(mine, key=lambda command: (place[command.event_id or ""], command.created_at))
