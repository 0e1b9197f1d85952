"""Handlers: hooks, what they are given, one effect per event, and many events on one object."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
import structlog
from structlog.testing import LogCapture

from pipeline.errors import ConfigurationError, NoActiveEvent, UnknownTenant
from pipeline.handlers import EventHandler, HandlerRunner, IMessenger, SendResult, WappaEventHandler
from pipeline.handlers.statistics import BoundedCounter
from pipeline.metrics import HANDLED
from pipeline.state import CacheFactory, CacheScope, MemoryStore
from pipeline.testing import account_event
from pipeline.topics.events import AccountEvent, EventBase, MessageEvent
from tests.support import handlers_for_tests as handlers
from tests.support.handler_events import ACCOUNT, USER, error, settings, status, tenants, text, unknown
from tests.support.runners import H, NoCalls, runner_of, texts


def test_an_event_becomes_commands() -> None:
    """If a handler's sends did not come out of its runner, no user would ever be answered."""

    async def body() -> None:
        runner, _, _ = runner_of(handlers.Recorder)
        assert texts(await runner.run(text("hello"))) == ["hello"]
        await runner.ping()
        await runner.close()

    asyncio.run(body())


def test_an_event_is_handled_once() -> None:
    """If a redelivered event ran its handler again, every crash between handling and publishing would answer twice."""

    async def body() -> None:
        runner, handler, _ = runner_of(handlers.Recorder)
        first = await runner.run(text("hello"))
        assert await runner.run(text("hello")) == first
        assert len(handler.seen) == 1

    asyncio.run(body())


def test_a_failed_event_leaves_no_trace() -> None:
    """If half of a failed event stayed, its retry would count and send the first half again."""

    async def body() -> None:
        runner, handler, store = runner_of(handlers.Failing)
        with pytest.raises(RuntimeError):
            await runner.run(text("hello"))
        assert await store.row(f"{{acme}}:user:{USER}:k") is None
        assert texts(await runner.run(text("hello"))) == ["hello"]
        assert await store.row(f"{{acme}}:user:{USER}:k") == {"n": b"1"}
        assert handler.get_message_stats()["handler_failures"] == 1
        assert handler.get_message_stats()["total_messages"] == 1

    asyncio.run(body())


def test_every_kind_has_its_hook() -> None:
    """If a kind of event reached no hook, a handler could not know that its messages fail."""

    async def body() -> None:
        runner, _, store = runner_of(handlers.Everything)
        for event in (text(), status("failed"), error(131000), unknown("message.image"), unknown("field.calls")):
            assert await runner.run(event) == []
        calls = await store.field("{acme}:table:hooks", "calls")
        assert calls == (b'["message","status failed","error 131000","unknown message.image","unknown field.calls"]')

    asyncio.run(body())


def test_account_events_will_find_their_hook() -> None:
    """If account events fell back to another hook once they get models, handlers written today would miss them."""

    async def body() -> None:
        runner, _, store = runner_of(handlers.Everything)
        await runner.run(unknown("field.calls").model_copy(update={"kind": "account"}))
        await runner.run(unknown("tomorrow").model_copy(update={"kind": "new kind", "event_id": "x"}))
        assert await store.field("{acme}:table:hooks", "calls") == b'["account field.calls","unknown tomorrow"]'

    asyncio.run(body())


def test_an_unwritten_hook_costs_nothing() -> None:
    """If every read receipt cost a round trip, statuses would triple the load on Redis for nothing."""

    async def body() -> None:
        runner = HandlerRunner(settings(H + "OnlyMessages"), tenants(), NoCalls())
        for event in (status(), error(131000), unknown()):
            assert await runner.run(event) == []
        stats = runner.handler("acme").get_all_stats()
        assert stats["status"]["read"] == stats["errors"]["total_errors"] == stats["system"]["total_events"] == 1

    asyncio.run(body())


def test_each_tenant_has_its_handler() -> None:
    """If tenants got each other's handlers, one company's bot would answer another's users."""

    async def body() -> None:
        named = tenants(acme=H + "Recorder", globex=None, initech=H + "Recorder")
        runner = HandlerRunner(settings(H + "Everything"), named, MemoryStore())
        assert isinstance(runner.handler("acme"), handlers.Recorder)
        assert isinstance(runner.handler("globex"), handlers.Everything)
        assert runner.handler("acme") is runner.handler("initech")
        with pytest.raises(UnknownTenant, match="'nobody'"):
            await runner.run(text(tenant="nobody"))

    asyncio.run(body())


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("EchoHandler", "is no handler"),
        ("no.such.module.Handler", "ModuleNotFoundError"),
        (H + "Missing", "is no handler"),
        (H + "NOT_A_HANDLER", "is no handler"),
        ("pipeline.settings.Settings", "is no handler"),
        (H + "Abstract", "process_message"),
        (H + "Broken", "no key"),
        ("", "is no handler"),
    ],
)
def test_a_wrong_path_is_said_in_one_line(path: str, words: str) -> None:
    """If a typo in the tenants file showed at the first message, it would be an outage instead of a failed start."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        HandlerRunner(settings(), tenants(acme=path or " "), MemoryStore())
    assert "\n" not in str(caught.value)
    assert "PIPELINE_HANDLER" in str(caught.value)


def test_a_task_that_nobody_awaits_is_told() -> None:
    """If a late send vanished in silence, its author would believe that the user got it."""

    async def body() -> None:
        runner, handler, _ = runner_of(handlers.Forgetful)
        assert await runner.run(text()) == []
        with pytest.raises(NoActiveEvent, match="await everything"):
            await handler.task

    asyncio.run(body())


def test_the_users_state() -> None:
    """If `self.cache` did not work as the documents show it, sessions written by them would start anew each time."""

    async def body() -> None:
        runner, _, store = runner_of(handlers.UsesState)
        assert texts(await runner.run(text(message_id="wamid.1"))) == ["False {}"]
        assert texts(await runner.run(text(message_id="wamid.2"))) == ["True {'step': 1}"]
        assert await store.ttl(f"{{acme}}:user:{USER}:state") > 3590

    asyncio.run(body())


def test_in_a_group_the_user_cache_is_the_members() -> None:
    """If a group's members shared one user cache, each would see the others' carts."""

    async def body() -> None:
        runner, _, store = runner_of(handlers.KeepsCache)
        event = text(message_id="wamid.g", group_id="GROUP").model_copy(update={"contact": "GROUP"})
        await runner.run(event)
        assert await store.exists(f"{{acme}}:user:{USER}:{USER}")

    asyncio.run(body())


def test_what_a_handler_can_use() -> None:
    """If the dependency checks of the documents said no inside a hook, handlers would return without answering."""

    async def body() -> None:
        runner, handler, _ = runner_of(handlers.Reports)
        assert not handler.validate_dependencies()
        assert handler.get_dependency_status() == {
            "context": False,
            "messenger": False,
            "cache_factory": False,
            "logger": True,
        }
        await runner.run(text())
        assert handler.valid
        assert set(handler.status.values()) == {True}

    asyncio.run(body())


def test_log_lines_know_their_event() -> None:
    """If a handler's log line did not name its event, nobody could find which message it was about."""
    captured = LogCapture()

    async def body() -> None:
        runner, handler, _ = runner_of(handlers.Reports)
        logger = structlog.wrap_logger(None, processors=[structlog.contextvars.merge_contextvars, captured])
        handler.__dict__["logger"] = logger
        await runner.run(text("secret words"))
        logger.info("from outside")

    asyncio.run(body())
    inside, outside = captured.entries[0], captured.entries[-1]
    assert inside["event_id"] == text().event_id
    assert (inside["tenant"], inside["conversation"]) == ("acme", text().conversation)
    assert "event_id" not in outside
    assert "secret words" not in str(captured.entries)


def test_statistics_have_the_documented_shapes() -> None:
    """If a key were missing, the dashboards that read these dicts would fail."""

    async def body() -> None:
        runner, handler, _ = runner_of(handlers.Everything)
        for number in range(3):
            await runner.run(text(message_id=f"wamid.{number}"))
        for event in (status("sent"), status("read"), error(190, 131000), unknown()):
            await runner.run(event)
        stats = handler.get_all_stats()
        assert stats["messages"] == handler.get_message_stats()
        assert stats["messages"]["total_messages"] == 3
        assert stats["messages"]["by_type"] == {"text": 3}
        assert stats["messages"]["by_user"] == {USER: 3}
        assert stats["messages"]["by_tenant"] == {"acme": 3}
        assert stats["messages"]["by_inbox"] == {ACCOUNT: 3}
        assert stats["messages"]["sensitive_content_detected"] == 0
        status_stats = handler.get_status_stats()
        assert (status_stats["total_processed"], status_stats["sent"], status_stats["failed"]) == (2, 1, 0)
        errors = handler.get_error_stats()
        assert (errors["total_errors"], errors["critical_errors"]) == (2, 1)
        assert errors["error_types"] == {190: 1, 131000: 1}
        assert [each["error_code"] for each in errors["recent_errors"]] == [190, 131000]
        assert errors["last_error"] and errors["escalated_errors"] == 0
        assert handler.get_system_stats()["by_type"] == {"message.image": 1}
        handler.reset_stats()
        assert handler.get_message_stats()["total_messages"] == 0

    asyncio.run(body())


def test_statistics_are_bounded() -> None:
    """If every user had a counter for ever, a worker would grow until it is killed."""
    counter = BoundedCounter("(others)", limit=3)
    for number in range(10):
        counter.add(str(number))
    counter.add("0")
    assert counter.counts() == {"0": 2, "1": 1, "2": 1, "(others)": 7}


def test_a_handler_without_super_init_works() -> None:
    """If forgetting `super().__init__()` broke the base class, half of all first handlers would fail."""

    async def body() -> None:
        runner, handler, _ = runner_of(handlers.NoSuper)
        await runner.run(text())
        assert handler.mine == 2
        assert handler.get_message_stats()["total_messages"] == 1

    asyncio.run(body())


def test_handled_events_are_counted_once() -> None:
    """If redeliveries were counted, the metric would show more work than was done."""

    async def body() -> None:
        runner, _, _ = runner_of(handlers.Recorder)
        counter = HANDLED.labels("globex", "message")
        before = counter._value.get()
        event: EventBase = text(tenant="globex")
        await runner.run(event)
        await runner.run(event)
        assert counter._value.get() == before + 1

    asyncio.run(body())


def test_the_name_that_documents_teach() -> None:
    """If `WappaEventHandler` were gone, every handler in the wild would need more than its imports changed."""
    assert WappaEventHandler is EventHandler


def test_the_echo_handler() -> None:
    """If the sample did not work, neither would the README's first screen."""

    async def body() -> None:
        store = MemoryStore()
        runner = HandlerRunner(settings(), tenants(), store)
        read, reply = await runner.run(text("hello", message_id="wamid.1"))
        assert read.body == {"message_id": "wamid.1", "typing": True}
        assert (reply.body["text"], reply.reply_to, reply.recipient) == ("You said: hello", "wamid.1", USER)
        (_, long) = await runner.run(text("x" * 4096, message_id="wamid.2"))
        assert len(long.body["text"]) == 4096
        assert await store.row(f"{{acme}}:user:{USER}:echo") == {"messages": b"2"}

    asyncio.run(body())


def test_a_handler_with_what_a_test_gives_it() -> None:
    """If `with_context` were gone, people could not carry their tests of hooks over."""

    async def body() -> None:
        store = MemoryStore()
        caches = CacheFactory(lambda: CacheScope(store, "acme", USER))
        handler = handlers.UsesState()
        sent = SentTexts()
        bound = handler.with_context("106", USER, cast(IMessenger, sent), caches, db="mine")
        assert (bound.inbox_id, bound.user_id, bound.db, bound.inbox_ref) == ("106", USER, "mine", None)
        assert bound.validate_dependencies()
        await bound.process_message(text())
        assert sent.texts == ["False {}"]
        assert await bound.cache.get_user_state(USER) == {"step": 1}
        assert not handler.validate_dependencies()
        assert isinstance(bound, handlers.UsesState)

    asyncio.run(body())


class SentTexts:
    """A messenger as people write them for their tests."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def send_text(self, text: str, recipient: str, *_: Any) -> SendResult:
        self.texts.append(text)
        return SendResult(True, recipient, "m")


def test_account_events_reach_the_hooks_by_either_name() -> None:
    """A handler that came from Wappa would hear of no call and of no system event, and nobody would know."""
    seen: list[str] = []

    class Wappa(EventHandler):
        async def process_message(self, webhook: MessageEvent) -> None: ...

        async def process_system_webhook(self, webhook: AccountEvent) -> None:
            seen.append(f"system {webhook.event_type}")

        async def process_call(self, webhook: AccountEvent) -> None:
            seen.append(f"call {webhook.event_type}")

    class Ours(Wappa):
        async def process_account_event(self, webhook: AccountEvent) -> None:
            seen.append(f"account {webhook.event_type}")

    number = {"phone_number_id": "106540352242922", "display_phone_number": "15550783881"}
    rings = {"id": "wacid.1", "from": "15550001111", "to": "15550783881", "event": "connect", "timestamp": "1750096325"}
    call = account_event("calls", {"messaging_product": "whatsapp", "metadata": number, "calls": [rings]})
    template = account_event("message_template_status_update", {"event": "APPROVED", "message_template_name": "a"})

    for handler in (Wappa(), Ours()):
        for event in (call, template):
            assert handler.handles(event)
            asyncio.run(handler.handle(event))
    assert seen == ["call call", "system template.status", "account call", "account template.status"]
