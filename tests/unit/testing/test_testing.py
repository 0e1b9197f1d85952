"""`pipeline.testing`: events of every kind, and handlers without Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.errors import HandlerTimeout, UsageError
from pipeline.handlers import EventHandler
from pipeline.testing import (
    HandlerDriver,
    account_event,
    error_event,
    events_of,
    incoming,
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
from pipeline.testing.events import USER
from pipeline.topics.events import EventBase, MessageEvent, StatusEvent

MADE: dict[str, Callable[..., MessageEvent]] = {
    "text": lambda **more: incoming_text("hi", **more),
    "image": incoming_image,
    "video": incoming_video,
    "audio": incoming_audio,
    "document": incoming_document,
    "sticker": incoming_sticker,
    "location": lambda **more: incoming_location(40.7, -73.9, "Here", "Some street", **more),
    "contacts": lambda **more: incoming_contacts(("Ana", "+15550009999"), **more),
    "interactive": lambda **more: incoming_selection("help", "Help", **more),
    "reaction": lambda **more: incoming_reaction("👍", "wamid.1", **more),
}
TENANTS = {"cloud": "acme", "wasender": "globex", "wawp": "initech", "waha": "initech"}


class Counter(EventHandler):
    """Counts what it is given, and says how much that is."""

    async def process_message(self, webhook: MessageEvent) -> None:
        cache = self.cache_factory.create_user_cache()
        count = await cache.increment_field("count", "n", ttl=60)
        if webhook.get_message_text() == "fail":
            raise RuntimeError("as asked")
        if webhook.get_message_text() == "wait":
            await asyncio.Event().wait()
        await self.messenger.send_text(str(count), webhook.user.user_id)

    async def process_status(self, webhook: StatusEvent) -> None:
        await self.messenger.send_text(webhook.status.value, USER)


@pytest.mark.parametrize("provider", TENANTS)
@pytest.mark.parametrize("kind", MADE)
def test_every_message_of_every_provider_takes_one_line(kind: str, provider: str) -> None:
    """A user would have to write a provider's JSON by hand to test an answer to a picture."""
    event = MADE[kind](provider=provider, from_="15550003333")
    assert event.message.type == kind
    assert (event.provider, event.tenant_id, event.user.phone_number) == (provider, TENANTS[provider], "15550003333")
    assert event.event_type == f"message.{kind}"


def test_what_is_given_is_what_the_handler_reads() -> None:
    """A test would pass on an event that says something else than its line."""
    assert incoming_text("hi", name="Ana").user.profile_name == "Ana"
    assert incoming_text("hi", user_id="US.13491208655302741918").user.user_id == "US.13491208655302741918"
    assert incoming_image("nice").message.to_universal_dict()["message_type"] == "image"
    assert incoming_selection("row", listed=True).get_interactive_selection() == "row"
    assert incoming_text("hi", context={"forwarded": True}).was_forwarded()
    order: Any = incoming_order(("sku-1", 2, 9.5), text="please").message
    assert (order.total_amount, order.order_text) == (19.0, "please")
    note: Any = incoming_audio(voice=True).message
    assert note.is_voice_message()


def test_the_same_id_is_the_same_event() -> None:
    """Nobody could test what a redelivery does."""
    first, second = (incoming_text("hi", message_id="wamid.1") for _ in range(2))
    assert first.event_id == second.event_id != incoming_text("hi").event_id


def test_statuses_errors_and_account_events_take_one_line() -> None:
    """Half of the hooks could only be tested in production."""
    failed = status_event("failed", command_id="cmd-1", error=131026)
    assert (failed.status, failed.business_opaque_data) == ("failed", "cmd-1")
    first = failed.get_primary_error()
    assert first is not None
    assert first.error_code == 131026
    assert error_event(130429, 131000).get_error_codes() == [130429, 131000]
    account = account_event("message_template_status_update", {"event": "APPROVED", "message_template_id": 1})
    assert account.kind == "account"


def test_a_kept_webhook_can_be_run_again() -> None:
    """What went wrong in production could not become a test."""
    raw = incoming_text("once").raw
    (event,) = events_of(raw)
    assert isinstance(event, MessageEvent)
    assert event.get_message_text() == "once"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: incoming_text("hi", provider="smoke"), "no provider 'smoke'"),
        (lambda: incoming_order(("a", 1, 1.0), provider="wawp"), "has no order messages"),
        (lambda: incoming_text("hi", provider="waha", context={}), "only messages of the Cloud API"),
        (lambda: incoming("dance", {"steps": 3}), "is no message but message.dance: use events_of"),
        (lambda: events_of(b"{"), "is a dead letter"),
    ],
)
def test_what_cannot_be_made_is_said_in_one_line(make: Callable[[], object], says: str) -> None:
    """A user would read a traceback out of the sandbox."""
    with pytest.raises(UsageError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_handler_is_run_as_in_its_worker() -> None:
    """A handler that passes its test would behave otherwise in production: twice, or by halves."""
    driver = HandlerDriver(Counter())
    event = incoming_text("hi")
    driver.handle(event, event)
    assert (driver.texts, driver.user_data("count")) == (["1"], {"n": 1})
    with pytest.raises(RuntimeError, match="as asked"):
        driver.handle(incoming_text("fail"))
    assert (driver.texts, driver.user_data("count")) == (["1"], {"n": 1})
    impatient = HandlerDriver(Counter(), timeout=0.2)
    with pytest.raises(HandlerTimeout):
        impatient.handle(incoming_text("wait"))
    assert (impatient.texts, impatient.user_data("count")) == ([], None)


class Asker(EventHandler):
    """Says whose caches it has."""

    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.send_text(f"{self.cache_factory.user_id} {self.cache_factory.inbox_id}", USER)


def test_a_cache_factory_knows_whose_it_is() -> None:
    """A handler that keys a table by its user would find the table empty."""
    driver = HandlerDriver(Asker())
    event = incoming_text("hi")
    driver.handle(event)
    assert driver.texts == [f"{event.user.user_id} {event.account}"]


def test_time_passes_for_the_caches() -> None:
    """What a handler forgets after a minute could only be tested by waiting for a minute."""
    driver = HandlerDriver(Counter())
    driver.handle(incoming_text("hi"))
    driver.advance(59)
    driver.handle(incoming_text("hi"))
    driver.advance(61)
    driver.handle(incoming_text("hi"))
    assert driver.texts == ["1", "2", "1"]


def test_a_test_can_prepare_what_a_handler_finds() -> None:
    """The tenth message could only be tested after nine others."""
    driver = HandlerDriver(Counter())
    driver.run(driver.caches().create_user_cache().set("count", {"n": 9}))
    driver.handle(incoming_text("hi"), status_event("read"))
    assert driver.texts == ["10", "read"]


def test_events_of_several_people_run_at_once() -> None:
    """A handler that waits for one user while another writes could not be tested."""
    driver = HandlerDriver(Counter())
    people: list[EventBase] = [incoming_text("hi", from_=f"1555000{number:04}") for number in range(5)]
    driver.handle_at_once(*people)
    assert driver.texts == ["1"] * 5
