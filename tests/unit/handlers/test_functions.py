"""Functions as agents, and the suite that every agent can inherit, shown by agents that break it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from pipeline.errors import UsageError
from pipeline.handlers import Effects, EventHandler, agent
from pipeline.testing import AgentConformance, HandlerDriver, incoming_text, status_event
from pipeline.topics.events import EventBase, MessageEvent, StatusEvent


@agent(MessageEvent)
async def visits(event: MessageEvent, effects: Effects) -> None:
    """Counts a user's messages."""
    user = event.user.user_id
    await effects.messenger.mark_as_read(event.message.message_id)
    count = await effects.tables.increment_field("visits", user, "count")
    await effects.user.append_to_list("said", "texts", event.get_message_text())
    await effects.messenger.send_text(f"Visit {count}", user)


@agent(StatusEvent)
async def deliveries(event: StatusEvent, effects: Effects) -> None:
    await effects.tables.increment_field("deliveries", event.status.value, "count")
    effects.logger.info("counted")


class TestVisits(AgentConformance):
    agent: ClassVar[EventHandler] = visits

    def events(self, user: str) -> list[EventBase]:
        return [incoming_text(word, from_=user) for word in ("one", "two", "three")]


def test_an_agent_takes_its_kinds_and_no_others() -> None:
    """A function for statuses would be called with messages, and fail on the first attribute."""
    driver = HandlerDriver(deliveries)
    driver.handle(status_event("read"), incoming_text("hi"))
    table = driver.caches().create_table_cache()
    assert driver.run(table.get("deliveries", "read")) == {"count": 1}
    assert driver.run(table.list_pkids("deliveries")) == ["read"]
    assert (visits.__doc__, deliveries.handles(incoming_text("hi"))) == ("Counts a user's messages.", False)


@pytest.mark.parametrize("kinds", [(), (str,), ("message",)])
def test_an_agent_without_events_is_refused(kinds: tuple[Any, ...]) -> None:
    """It would be imported well and never be called."""
    with pytest.raises(UsageError, match="names the events"):
        agent(*kinds)


async def _says(effects: Effects, event: MessageEvent, text: str) -> None:
    await effects.messenger.send_text(text, event.user.user_id)


def _counting_in_memory() -> EventHandler:
    seen: list[str] = []

    @agent(MessageEvent)
    async def counts(event: MessageEvent, effects: Effects) -> None:
        seen.append(event.event_id)
        await _says(effects, event, str(len(seen)))

    return counts


def _drawing() -> EventHandler:
    @agent(MessageEvent)
    async def draws(event: MessageEvent, effects: Effects) -> None:
        await _says(effects, event, str(random.random()))

    return draws


def _deaf() -> EventHandler:
    @agent(StatusEvent)
    async def hears_nothing(_: StatusEvent, __: Effects) -> None:
        raise AssertionError("never called")

    return hears_nothing


def _choosy() -> EventHandler:
    @agent(MessageEvent)
    async def reads(event: MessageEvent, effects: Effects) -> None:
        message: Any = event.message
        await _says(effects, event, message.text.body)

    return reads


def _leaking() -> EventHandler:
    rows: dict[str, int] = {}

    @agent(MessageEvent)
    async def shares(event: MessageEvent, effects: Effects) -> None:
        rows[event.user.user_id] = rows.get(event.user.user_id, 0) + 1
        await effects.user.set("seen", {"count": rows[event.user.user_id]})

    return shares


@pytest.mark.parametrize(
    ("make", "test"),
    [
        (_deaf, "test_it_does_something"),
        (_counting_in_memory, "test_a_redelivery_changes_nothing"),
        (_counting_in_memory, "test_a_crash_between_any_two_steps_loses_and_doubles_nothing"),
        (_drawing, "test_a_replay_gives_the_same"),
        (_drawing, "test_a_rebalance_in_mid_work_changes_nothing"),
        (_choosy, "test_every_kind_of_event_is_taken"),
        (_leaking, "test_tenants_are_apart"),
    ],
)
def test_the_suite_finds_what_is_wrong(make: Callable[[], EventHandler], test: str) -> None:
    """An agent that loses or doubles would pass its suite, and its author would trust it."""

    class Broken(TestVisits):
        agent = make()

    with pytest.raises((AssertionError, AttributeError)):
        getattr(Broken(), test)()
