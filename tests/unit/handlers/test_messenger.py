"""The messenger: sends become commands of the event in hand, or say why not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from pipeline.errors import NoActiveEvent
from pipeline.handlers import IMessenger, MessageResult, SendResult
from pipeline.handlers.context import activate
from pipeline.handlers.messenger import MESSENGER
from pipeline.handlers.unit_of_work import UnitOfWork
from pipeline.state import MemoryStore
from pipeline.topics.commands import Command, CommandKind, Priority, command_id
from pipeline.topics.events import EventBase, PlatformType
from tests.support.handler_events import ACCOUNT, USER, error, text


def sent(body: Callable[[IMessenger], Awaitable[Any]], event: EventBase | None = None) -> list[Command]:
    """The commands that `body` leaves for an event."""

    async def run() -> list[Command]:
        about = event or text()
        unit = UnitOfWork(MemoryStore(), about.tenant_id, about.event_id)
        with activate(about, unit):
            await body(MESSENGER)
        return unit.commands

    return asyncio.run(run())


def refused(body: Callable[[IMessenger], Awaitable[SendResult]], event: EventBase | None = None) -> SendResult:
    """The result of a send that queues nothing."""
    results: list[SendResult] = []

    async def run(messenger: IMessenger) -> None:
        results.append(await body(messenger))

    assert sent(run, event) == []
    return results[0]


def test_a_text_becomes_a_command() -> None:
    """If a field were missing, the messenger would send to nobody, or not as a reply."""

    async def body(messenger: IMessenger) -> None:
        result = await messenger.send_text("hello", USER, reply_to_message_id="wamid.1", disable_preview=True)
        assert result.success and result.queued and result.error is None
        assert result.message_id == result.command_id == command_id(text().event_id, 0)
        assert (result.recipient, result.tenant_id, result.platform) == (USER, "acme", PlatformType.WHATSAPP)
        assert result.timestamp.tzinfo is not None

    (command,) = sent(body)
    assert command.kind is CommandKind.TEXT
    assert command.body == {"text": "hello", "preview_url": False}
    assert (command.provider, command.account, command.recipient) == ("cloud", ACCOUNT, USER)
    assert (command.reply_to, command.event_id, command.tenant_id) == ("wamid.1", text().event_id, "acme")
    assert command.priority is Priority.INTERACTIVE
    assert command.expires_at is None
    assert command.traceparent == text().traceparent


def test_both_ways_of_calling() -> None:
    """If one of the documents' ways of calling failed, handlers written by that page would not run."""

    async def body(messenger: IMessenger) -> None:
        await messenger.send_text("one", USER)
        await messenger.send_text(recipient=USER, text="two")
        await messenger.mark_as_read("wamid.1")
        await messenger.mark_as_read(message_id="wamid.1", typing=True)

    commands = sent(body)
    assert [command.body.get("text") for command in commands[:2]] == ["one", "two"]
    assert [command.body for command in commands[2:]] == [
        {"message_id": "wamid.1", "typing": False},
        {"message_id": "wamid.1", "typing": True},
    ]
    assert {command.recipient for command in commands} == {USER}


def test_ids_follow_from_the_event() -> None:
    """If ids were random, an event that is handled again would be answered again."""

    async def body(messenger: IMessenger) -> None:
        for number in range(3):
            await messenger.send_text(str(number), USER)

    first, again = sent(body), sent(body)
    assert [command.command_id for command in first] == [command.command_id for command in again]
    assert len({command.command_id for command in first}) == 3
    other = sent(body, text(message_id="wamid.2"))
    assert not {command.command_id for command in first} & {command.command_id for command in other}


def test_priority_and_expiry() -> None:
    """If a campaign could not be marked as one, it would stand in front of every answer."""

    async def body(messenger: IMessenger) -> None:
        await messenger.send_text("one", USER, priority="bulk", expires_in=90)
        await messenger.mark_as_read("wamid.1", priority=Priority.BULK, expires_in=timedelta(minutes=2))

    one, two = sent(body)
    assert one.priority is two.priority is Priority.BULK
    assert one.expires_at == one.created_at + timedelta(seconds=90)
    assert two.expires_at == two.created_at + timedelta(minutes=2)


def test_a_code_expires_as_it_does_at_meta() -> None:
    """A one-time code would be sent three days later, like any template."""

    async def body(messenger: IMessenger) -> None:
        code: Any = {
            "template_type": "authentication",
            "authentication_method": "copy_code",
            "language_code": "en_US",
        }
        for options in (code, code | {"expires_in": 60}):
            await messenger.send_text_template("code", USER, [{"type": "text", "text": "4711"}], **options)
        await messenger.send_text_template("parcel", USER, template_type="utility", language_code="en_US")

    ends = [each.expires_at and each.expires_at - each.created_at for each in sent(body)]
    assert ends == [timedelta(minutes=10), timedelta(minutes=1), None]


@pytest.mark.parametrize(("length", "taken"), [(0, False), (1, True), (4096, True), (4097, False)])
def test_the_length_of_a_text(length: int, taken: bool) -> None:
    """If a text that Meta refuses were queued, the handler would hear of it only through a failed outcome."""
    results: list[SendResult] = []

    async def body(messenger: IMessenger) -> None:
        results.append(await messenger.send_text("x" * length, USER))

    assert len(sent(body)) == int(taken)
    assert results[0].success is results[0].queued is taken
    if not taken:
        assert results[0].error == f"the text has {length} characters: WhatsApp takes 1 to 4096"
        assert results[0].error_code == "VALIDATION"
        assert results[0].message_id is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"text": None}, "NoneType"),
        ({"text": "hi", "recipient": ""}, "no recipient"),
        ({"text": "hi", "recipient": None}, "no recipient"),
        ({"text": "hi", "priority": "urgent"}, "priority"),
        ({"text": "hi", "expires_in": 0}, "expires_in"),
        ({"text": "hi", "expires_in": float("nan")}, "expires_in"),
        ({"text": "hi", "expires_in": float("inf")}, "expires_in"),
    ],
)
def test_bad_requests_are_results(arguments: dict[str, Any], words: str) -> None:
    """If a bad request raised, a handler written for Wappa would dead-letter its event instead of going on."""
    result = refused(lambda messenger: messenger.send_text(**{"recipient": USER, **arguments}))
    assert not result.success and words in (result.error or "")


def test_nobody_to_mark_as_read_for() -> None:
    """If a read mark without message or contact were queued, the provider would refuse it later."""
    assert "message id" in (refused(lambda messenger: messenger.mark_as_read("")).error or "")
    result = refused(lambda messenger: messenger.mark_as_read("wamid.1"), error(131000))
    assert "no recipient" in (result.error or "")


def test_the_older_name_of_results() -> None:
    """If `MessageResult` were gone, annotations of handlers in the wild would not import."""
    assert MessageResult is SendResult


def test_outside_an_event_nothing_is_sent() -> None:
    """If a send outside of an event seemed to succeed, a background job would believe that it reaches users."""

    async def body() -> None:
        with pytest.raises(NoActiveEvent, match="inside a handler's hooks"):
            await MESSENGER.send_text("hello", USER)
        with pytest.raises(NoActiveEvent):
            _ = MESSENGER.tenant_id

    asyncio.run(body())


def test_what_the_messenger_says_of_itself() -> None:
    """If tenant or platform were another event's, a handler of many tenants would mix them up."""

    async def body(messenger: IMessenger) -> None:
        assert messenger.tenant_id == "globex"
        assert messenger.platform is PlatformType.WHATSAPP

    sent(body, text(tenant="globex"))
