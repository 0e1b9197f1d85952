"""Sends by the HTTP API in the handlers' worker: carried out once, with and without the hook."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.handlers import Effects, EventHandler, HandlerRunner, agent
from pipeline.handlers.context import current
from pipeline.state import MemoryStore
from pipeline.testing import HandlerDriver, api_message
from pipeline.topics.commands import Command
from pipeline.topics.events import APIMessageEvent
from tests.support.api_clerk import AnsweringClerk, ApiClerk
from tests.support.handler_events import settings, tenants
from tests.support.runners import texts
from tests.support.send_api import USER


def _runner() -> HandlerRunner:
    return HandlerRunner(settings("tests.support.api_clerk.AnsweringClerk"), tenants(acme=None), MemoryStore())


@agent(APIMessageEvent)
async def counting(event: APIMessageEvent, effects: Effects) -> None:
    await effects.tables.increment_field("sends", event.recipient, "count")


def test_the_hook_is_called_in_the_sends_unit_of_work() -> None:
    """A shop's record of what was sent would count what was not, or miss what was."""
    driver = HandlerDriver(AnsweringClerk())
    event = api_message(text="Parcel")
    driver.handle(event)
    assert driver.texts == ["Parcel", f"noted {event.message_id}"]
    assert driver.user_data("sends") == {"count": 1, "last": "text"}


def test_redelivered_it_is_the_same_command_and_no_second_hook() -> None:
    """A rebalance would send a customer everything once more."""

    async def main() -> None:
        runner = _runner()
        event = api_message(text="Parcel")
        first, again = await runner.run(event), await runner.run(event)
        assert first == again
        assert texts(first) == ["Parcel", f"noted {event.message_id}"]
        other = event.model_copy(update={"request_payload": {"recipient": USER, "text": "another"}})
        assert await runner.run(other) == first, "the first of one idempotency key counts"

    asyncio.run(main())


def test_nothing_of_it_goes_out_before_its_unit_is_finished() -> None:
    """A read mark of the hook would take the id that the caller was answered."""

    async def main() -> None:
        runner = _runner()
        early: list[Command] = []

        async def publish(command: Command) -> None:
            early.append(command)

        event = api_message("messages/mark-as-read", message_id="wamid.1")
        (command,) = await runner.run(event, publish)
        assert (early, command.command_id) == ([], event.message_id)

    asyncio.run(main())


def test_a_hook_that_raises_sends_nothing() -> None:
    """The send would be out, and tried again with the event."""

    class Broken(EventHandler):
        async def process_message(self, webhook: object) -> None: ...

        async def process_api_message(self, event: APIMessageEvent) -> None:
            assert current().unit.commands
            raise RuntimeError("database")

    driver = HandlerDriver(Broken())
    with pytest.raises(RuntimeError, match="database"):
        driver.handle(api_message(text="Parcel"))
    assert driver.sent == []


def test_a_read_mark_has_no_hook() -> None:
    """Wappa's handlers would count read marks among the messages that were sent."""
    driver = HandlerDriver(ApiClerk())
    driver.handle(api_message("messages/mark-as-read", message_id="wamid.1"))
    assert driver.user_data("sends") is None
    assert [command.kind for command in driver.sent] == ["read"]


def test_statistics_do_not_count_it() -> None:
    """Messages that a shop sends would look like messages of its customers."""
    clerk = ApiClerk()
    before = _counted(clerk)
    HandlerDriver(clerk).handle(api_message(text="Parcel"))
    assert _counted(clerk) == before == (0, 0, 0)


def _counted(handler: EventHandler) -> tuple[int, int, int]:
    stats = handler.get_all_stats()
    return stats["messages"]["total_messages"], stats["status"]["total_processed"], stats["system"]["total_events"]


def test_the_callers_user_id_says_whose_caches_it_is() -> None:
    """A shop that knows its customers by numbers of its own would find its rows under a phone number."""
    driver = HandlerDriver(ApiClerk())
    driver.handle(api_message(text="Parcel", user_id="customer-17"))
    assert driver.user_data("sends", "customer-17") == {"count": 1, "last": "text"}
    assert driver.sent[0].recipient == USER


def test_an_agent_can_take_it() -> None:
    """Sends of other systems would be invisible to whoever writes functions."""
    driver = HandlerDriver(counting)
    driver.handle(api_message(text="Parcel"))
    assert driver.texts == ["Parcel"]
    tables = driver.caches().create_table_cache()
    assert driver.run(tables.get("sends", USER)) == {"count": 1}
