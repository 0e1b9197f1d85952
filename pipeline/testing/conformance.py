"""A suite of tests that every agent must pass. Inherit it.

>>> class TestVisits(AgentConformance):
...     agent = visits
...
...     def events(self, user: str) -> list[EventBase]:
...         return [incoming_text("hi", from_=user), incoming_text("again", from_=user)]

It fails for agents that keep state outside of their caches, draw random numbers, or fail on ordinary messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from pipeline.agents.handle import handle
from pipeline.errors import UsageError
from pipeline.handlers import EventHandler
from pipeline.settings import Settings
from pipeline.state import Store
from pipeline.testing.driver import TopologyTestDriver
from pipeline.testing.events import (
    USER,
    error_event,
    incoming_audio,
    incoming_contacts,
    incoming_document,
    incoming_image,
    incoming_location,
    incoming_order,
    incoming_reaction,
    incoming_selection,
    incoming_sticker,
    incoming_text,
    incoming_video,
    status_event,
)
from pipeline.testing.memory import OneHandler
from pipeline.testing.records import TestRecord
from pipeline.testing.steps import InspectableStore, Step, SteppedWorker
from pipeline.testing.webhooks import CLOUD_TENANT, sample_tenants
from pipeline.topics.codec import decode_command
from pipeline.topics.commands import Command
from pipeline.topics.events import EventBase

OTHER = "15550002222"
OTHER_TENANT = "globex"
STEPS = 2_000
"""Maximum number of steps of the events of a test."""


class SimulatedCrash(BaseException):
    """The worker's process ends. No handler can catch it by `except Exception`."""


async def _step_freely() -> None:
    """Take a step of a worker that keeps running."""
    await asyncio.sleep(0)


class AgentConformance:
    """The suite. Inherit it under a name that starts with `Test`, and set the agent and its events.

    Attributes:
        agent: the handler, or the function with `@agent`.
    """

    agent: ClassVar[EventHandler]

    def __init_subclass__(cls) -> None:
        if hasattr(cls, "same"):  # else an override of it would be ignored in silence
            raise UsageError(f"{cls.__name__}.same: the method is called comparable now, rename yours")

    def events(self, user: str) -> list[EventBase]:
        """Return events of one user's conversation, in order, each with its own id. The agent must answer some."""
        raise NotImplementedError

    def comparable(self, command: Command) -> Any:
        """Return the parts of a command that must be equal when its event is handled again, without the time.

        Leave out what depends on the time.
        """
        return command.command_id, command.kind, command.recipient, command.body

    def test_it_does_something(self) -> None:
        """Without it all other tests would pass for an agent that is never called."""
        rows, sent = self._run_normally(self.events(USER))
        assert rows.rows_of(CLOUD_TENANT) or sent, "the agent does nothing for these events: give it others"

    def test_conversations_side_by_side_stay_in_order(self) -> None:
        """An agent that keeps an event in an attribute would answer one user with another's text."""
        mine, other = self.events(USER), self.events(OTHER)
        _, alone = self._run_normally(mine)
        topic: list[Command] = []

        async def both() -> None:
            rows = InspectableStore()
            await asyncio.gather(
                *(SteppedWorker(self._agent, rows, topic, _step_freely).work(each) for each in (mine, other))
            )

        asyncio.run(both())
        ids = {event.event_id for event in mine}
        assert [each.command_id for each in topic if each.event_id in ids] == [each.command_id for each in alone]

    def test_a_redelivery_changes_nothing(self) -> None:
        """A provider that delivers twice would have its user answered twice."""
        events = self.events(USER)
        rows, sent = self._run_normally(events)
        again, all_sent = self._run_normally([each for event in events for each in (event, event)])
        assert again.rows_of(CLOUD_TENANT) == rows.rows_of(CLOUD_TENANT)
        assert self._unique(all_sent) == self._unique(sent)

    def test_what_is_no_event_is_a_dead_letter_and_holds_up_nothing(self) -> None:
        """One broken record would stop everybody's messages."""
        events = self.events(USER)
        driver = TopologyTestDriver(handle(self._runner(InspectableStore()), 1))
        good = [TestRecord(event.model_dump_json().encode()) for event in events]
        driver.pipe(TestRecord(b"\x00 no event"), TestRecord(None), *good)
        assert len(driver.dead_letters) == 2, "only the two broken records are dead letters"
        sent = [decode_command(TestRecord.of(each)) for each in driver.published if each not in driver.dead_letters]
        assert self._unique(sent) == self._unique(self._run_normally(events)[1])

    def test_every_kind_of_event_is_taken(self) -> None:
        """A user who sends a picture where a text was asked for would become a dead letter."""
        for event in _every_kind():
            self._run_normally([event])

    def test_a_crash_between_any_two_steps_loses_and_doubles_nothing(self) -> None:
        """A worker that dies at the wrong moment would lose an answer or give it twice."""
        events = self.events(USER)
        rows, sent = self._run_normally(events)
        for steps in range(STEPS):
            after, all_sent, died = self._run_with_crash(events, steps)
            assert after.rows_of(CLOUD_TENANT) == rows.rows_of(CLOUD_TENANT), f"rows after a crash at step {steps}"
            assert self._unique(all_sent) == self._unique(sent), f"sends after a crash at step {steps}"
            if not died:
                return
        raise AssertionError(f"the events take more than {STEPS} steps: give fewer")

    def test_a_rebalance_in_mid_work_changes_nothing(self) -> None:
        """A worker that was thought dead and goes on beside its successor would do everything twice."""
        events = self.events(USER)
        rows, sent = self._run_normally(events)
        for steps in range(STEPS):
            after, all_sent, moved = asyncio.run(self._run_with_successor(events, steps))
            assert after.rows_of(CLOUD_TENANT) == rows.rows_of(CLOUD_TENANT), f"rows after a rebalance at step {steps}"
            assert self._unique(all_sent) == self._unique(sent), f"sends after a rebalance at step {steps}"
            if not moved:
                return
        raise AssertionError(f"the events take more than {STEPS} steps: give fewer")

    def test_tenants_are_apart(self) -> None:
        """One company's users would find what they told another."""
        events = self.events(USER)
        theirs = [event.model_copy(update={"tenant_id": OTHER_TENANT}) for event in events]
        rows, sent = self._run_normally(events)
        both, all_sent = self._run_normally([*theirs, *events])
        assert both.rows_of(CLOUD_TENANT) == rows.rows_of(CLOUD_TENANT)
        assert self._unique(each for each in all_sent if each.tenant_id == CLOUD_TENANT) == self._unique(sent)

    def test_a_replay_gives_the_same(self) -> None:
        """A day that is replayed to find a mistake would not show it."""
        events = self.events(USER)
        first, again = self._run_normally(events), self._run_normally(events)
        assert self._unique(first[1]) == self._unique(again[1])
        assert [each.command_id for each in first[1]] == [each.command_id for each in again[1]]

    @property
    def _agent(self) -> EventHandler:
        return type(self).agent

    def _runner(self, rows: Store) -> OneHandler:
        return OneHandler(self._agent, Settings(cache="memory"), sample_tenants(), rows)

    def _unique(self, commands: Any) -> list[Any]:
        """Return commands as the messenger takes them:

        each id once, the first of each. Sorted: another test checks the order.
        """
        first: dict[str, Command] = {}
        for command in commands:
            first.setdefault(command.command_id, command)
        return sorted((self.comparable(each) for each in first.values()), key=repr)

    def _run_normally(self, events: Sequence[EventBase]) -> tuple[InspectableStore, list[Command]]:
        rows, topic = InspectableStore(), list[Command]()
        asyncio.run(SteppedWorker(self._agent, rows, topic, _step_freely).work(events))
        return rows, topic

    def _run_with_crash(self, events: Sequence[EventBase], steps: int) -> tuple[InspectableStore, list[Command], bool]:
        rows, topic = InspectableStore(), list[Command]()
        first = SteppedWorker(self._agent, rows, topic, _crash_after(steps))
        died = False
        try:
            asyncio.run(first.work(events))
        except SimulatedCrash:
            died = True
        asyncio.run(SteppedWorker(self._agent, rows, topic, _step_freely).work(events[first.finished :]))
        return rows, topic, died

    async def _run_with_successor(
        self, events: Sequence[EventBase], steps: int
    ) -> tuple[InspectableStore, list[Command], bool]:
        rows, topic = InspectableStore(), list[Command]()
        paused, go_on = asyncio.Event(), asyncio.Event()
        first = SteppedWorker(self._agent, rows, topic, _pause_after(steps, paused, go_on))
        working = asyncio.create_task(first.work(events))
        waiting = asyncio.create_task(paused.wait())
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await SteppedWorker(self._agent, rows, topic, _step_freely).work(events[first.finished :])
        go_on.set()
        await working
        return rows, topic, paused.is_set()


def _crash_after(steps: int) -> Step:
    """Return a step that crashes after `steps` calls."""
    left = steps

    async def step() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise SimulatedCrash
        await asyncio.sleep(0)

    return step


def _pause_after(steps: int, paused: asyncio.Event, go_on: asyncio.Event) -> Step:
    """Return a step that pauses after `steps` calls until it may go on."""
    left = steps

    async def step() -> None:
        nonlocal left
        left -= 1
        if left == -1:
            paused.set()
            await go_on.wait()
        await asyncio.sleep(0)

    return step


def _every_kind() -> list[EventBase]:
    return [
        incoming_text("?"),
        incoming_text("x" * 4096),
        incoming_image("caption"),
        incoming_image(),
        incoming_video(),
        incoming_audio(voice=True),
        incoming_document(),
        incoming_sticker(),
        incoming_location(40.7, -73.9),
        incoming_contacts(("Ana", "+15550009999")),
        incoming_order(("sku-1", 2, 9.5)),
        incoming_selection("a"),
        incoming_selection("b", listed=True),
        incoming_reaction("👍", "wamid.1"),
        status_event("sent"),
        status_event("failed", error=131026),
        error_event(130429),
        *(incoming_text("hi", provider=provider) for provider in ("wasender", "wawp", "waha")),
    ]
