"""What must be the same in memory and on the real stack. `tests/integration/test_testing_stack.py` runs it there."""

from __future__ import annotations

import asyncio
import os

import pytest

from pipeline.errors import HandlerTimeout, Unavailable
from pipeline.handlers import EventHandler
from pipeline.testing import HandlerDriver, incoming_image, incoming_text, on_stack, status_event
from pipeline.testing.events import USER
from pipeline.topics.events import MessageEvent

OTHER = "15550002222"
MINUTE = 60


class Refused(Exception):
    """What this module's handler raises."""


class Clerk(EventHandler):
    """Counts a user's texts for a minute, and does as it is told."""

    async def process_message(self, webhook: MessageEvent) -> None:
        said, user = webhook.get_message_text(), webhook.user.user_id
        if not said:
            return
        count = await self.cache_factory.create_user_cache().increment_field("count", "n", ttl=MINUTE)
        if said == "fail":
            raise Refused("as asked")
        if said == "wait":
            await asyncio.Event().wait()
        if said == "away":
            raise Unavailable("the kitchen does not answer")
        if said == "die":
            os._exit(3)
        words = {"pid": str(os.getpid()), "name": f"{os.environ.get('CLERK')} {count}"}
        await self.messenger.send_text(words.get(said, f"{said} {count}"), user)
        await self.messenger.send_text("campaign", user, priority="bulk")
        await self.messenger.mark_as_read(webhook.message.message_id)


def _driver() -> HandlerDriver:
    return HandlerDriver(Clerk())


def test_the_handler_runs_where_the_switch_says() -> None:
    """All the others would pass in memory, and nobody would have seen the real stack."""
    driver = _driver()
    driver.handle(incoming_text("pid"))
    assert (driver.texts[0] == str(os.getpid())) is not on_stack()


def test_rows_sends_and_redeliveries_are_the_same() -> None:
    """A test would pass in memory and fail on the stack, or the other way round, for a handler without a fault."""
    driver = _driver()
    event = incoming_text("a")
    assert [command.kind for command in driver.handle(event)] == ["text", "text", "read"]
    assert driver.handle(event) == driver.sent[:2], "read marks are not sent again"
    driver.handle(incoming_text("b"), incoming_text("c", provider="wasender"), incoming_text("d", from_=OTHER))
    assert driver.texts[::2] == ["a 1", "b 2", "c 1", "d 1"]
    assert {command.tenant_id for command in driver.sent} == {"acme", "globex"}
    assert (driver.user_data("count"), driver.user_data("count", OTHER)) == ({"n": 2}, {"n": 1})


def test_what_has_no_effect_is_over_too() -> None:
    """A test of an event that its handler leaves alone would wait for an answer for ever."""
    driver = _driver()
    assert driver.handle(incoming_image(), status_event("read")) == []
    assert (driver.sent, driver.user_data("count")) == ([], None)


def test_what_the_handler_raises_is_raised() -> None:
    """`pytest.raises` would not see what the handler does, or the failed event's rows would stay."""
    driver = _driver()
    with pytest.raises(Refused, match=r"^as asked$"):
        driver.handle(incoming_text("fail"))
    assert (driver.sent, driver.user_data("count")) == ([], None)
    driver.handle(incoming_text("a"))
    assert driver.texts[0] == "a 1"


def test_a_hook_that_takes_too_long_is_ended_and_leaves_nothing() -> None:
    """A test of a handler that hangs would hang, or the ended event's rows would stay."""
    driver = HandlerDriver(Clerk(), timeout=1)
    with pytest.raises(HandlerTimeout, match="Clerk took longer than 1 s"):
        driver.handle(incoming_text("wait"))
    assert (driver.sent, driver.user_data("count")) == ([], None)


def test_time_passes_when_it_is_told_to() -> None:
    """What is forgotten after a minute could be tested in memory only."""
    driver = _driver()
    driver.handle(incoming_text("a"))
    driver.advance(MINUTE / 2)
    assert driver.run(driver.caches().create_user_cache().get_ttl("count")) in range(1, 31)
    driver.advance(MINUTE / 2)
    assert driver.user_data("count") is None
    driver.handle(incoming_text("b"))
    assert driver.texts[::2] == ["a 1", "b 1"]


def test_a_coroutine_tests_people_at_once_and_rows_of_its_own() -> None:
    """A test that runs a service of its own beside the handler would have to be written twice."""
    driver = _driver()

    async def body() -> None:
        await driver.caches(USER).create_user_cache().set("count", {"n": 5})
        await driver.handle_all(*(incoming_text("a", from_=f"1555000{number:04}") for number in range(20)))
        await driver.handle_all(incoming_text("b"))
        first, second = (driver.handle_all(incoming_text("c", from_=user)) for user in (USER, OTHER))
        assert [made[0].body["text"] for made in await asyncio.gather(first, second)] == ["c 7", "c 1"]
        assert await driver.caches(USER).create_user_cache().get("count") == {"n": 7}

    asyncio.run(body())
    assert driver.texts[:42:2] == ["a 1"] * 20 + ["b 6"]
