"""Handlers: hooks, what they are given, one effect per event, and many events on one object."""

from __future__ import annotations

import asyncio
import time
from typing import Any, TypeVar, cast

import pytest
import structlog
from structlog.testing import LogCapture

from pipeline.errors import ConfigurationError, Conflict, HandlerTimeout, OutsideEvent, OversizeRecord, UnknownTenant
from pipeline.handlers import EventHandler, HandlerRunner, IMessenger, SendResult, WappaEventHandler
from pipeline.handlers.statistics import Tally
from pipeline.metrics import HANDLED
from pipeline.runtime.retry import Retries
from pipeline.state import CacheFactory, CacheScope, MemoryStore
from pipeline.state.keys import table_key
from tests.unit import handlers_for_tests as handlers
from tests.unit.handler_events import ACCOUNT, USER, error, settings, status, tenants, text, unknown
from topics.commands import Command, CommandKind, command_id
from topics.events import EventBase

H = "tests.unit.handlers_for_tests."
Kind = TypeVar("Kind", bound=EventHandler)


def runner_of(kind: type[Kind], timeout: float = 5.0) -> tuple[HandlerRunner, Kind, MemoryStore]:
    store = MemoryStore()
    runner = HandlerRunner(settings(H + kind.__name__, timeout), tenants(acme=None, globex=None), store)
    handler = runner.handler("acme")
    assert isinstance(handler, kind)
    return runner, handler, store


def texts(commands: list[Command]) -> list[str]:
    return [command.body["text"] for command in commands]


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


@pytest.mark.parametrize("kind", [handlers.Slow, handlers.Stubborn])
def test_a_slow_hook_is_ended_and_leaves_no_trace(kind: type[handlers.Recorder]) -> None:
    """If a hook could hang, its conversation would stand still and a rebalance would wait for it."""

    async def body() -> None:
        runner, _, store = runner_of(kind, timeout=0.05)
        with pytest.raises(HandlerTimeout, match=r"longer than 0.05 s: .* PIPELINE_HANDLER_TIMEOUT"):
            await runner.run(text())
        assert not store._rows

    asyncio.run(body())


def test_a_hooks_own_timeout_is_its_own() -> None:
    """If a timeout of the user's HTTP client looked like ours, its author would search in the wrong place."""

    async def body() -> None:
        runner, _, _ = runner_of(handlers.ImpatientClient)
        with pytest.raises(TimeoutError, match="a service of mine"):
            await runner.run(text())

    asyncio.run(body())


def test_a_read_mark_goes_out_at_once_and_disturbs_nothing() -> None:
    """If a read mark waited for a slow answer, the user would believe that nobody is there."""

    async def body() -> None:
        runner, handler, _ = runner_of(handlers.Attentive)
        handler.failures = 1
        out: list[Command] = []

        async def early(command: Command) -> None:
            out.append(command)

        with pytest.raises(RuntimeError):
            await runner.run(text(), early)
        assert [command.kind for command in out] == [CommandKind.READ]
        commands = await runner.run(text(), early)
        assert texts(commands) == ["one", "two"]
        assert [command.command_id for command in out] == [command_id(text().event_id, -1)] * 2, "known as the same"
        assert [command.command_id for command in commands] == [command_id(text().event_id, step) for step in (0, 1)]
        assert await runner.run(text(), early) == commands
        assert len(out) == 2, "a finished event is not handled again, so nothing more goes out"

    asyncio.run(body())


def test_what_fails_for_good_gets_a_last_word_once() -> None:
    """If an apology were repeated, or took the id of an answer, a re-driven event would apologise and not answer."""

    async def body() -> None:
        runner, _, _ = runner_of(handlers.Sorry)
        with pytest.raises(RuntimeError) as caught:
            await runner.run(text())
        apology = await runner.last_word(text(), caught.value)
        assert texts(apology) == ["sorry: once"]
        assert await runner.last_word(text(), ValueError("another")) == apology
        answer = await runner.run(text())
        assert texts(answer) == ["hi"]
        assert apology[0].command_id not in {command.command_id for command in answer}
        assert apology[0].event_id == text().event_id

    asyncio.run(body())


def test_who_has_no_last_word_costs_nothing() -> None:
    """If every dead letter asked Redis for an apology that nobody wrote, a bad day would become worse."""

    async def body() -> None:
        runner = HandlerRunner(settings(H + "OnlyMessages"), tenants(), NoCalls())
        assert await runner.last_word(text(), ValueError()) == []

    asyncio.run(body())


def test_a_handlers_own_timeout() -> None:
    """If a handler could not be given less time than the others, one slow service would hold all conversations."""

    async def body() -> None:
        runner, _, _ = runner_of(handlers.Hasty)
        with pytest.raises(HandlerTimeout, match=r"Hasty took longer than 0\.02 s"):
            await runner.run(text())

    asyncio.run(body())


def test_a_handlers_timeout_is_within_the_longest() -> None:
    """If a handler took longer than a rebalance waits, its event would be cut off and handled twice."""
    with pytest.raises(ConfigurationError, match="PIPELINE_HANDLER_TIMEOUT"):
        HandlerRunner(settings(H + "Hasty", 0.01), tenants(), MemoryStore())


def test_a_conflict_repeats_no_read_mark_and_hides_no_answer() -> None:
    """If the answer of a second handling had the id of the first one's read mark, it would pass for sent already."""

    async def body() -> None:
        runner, _, store = runner_of(handlers.ReadsThenTakes)
        out: list[Command] = []

        async def early(command: Command) -> None:
            out.append(command)
            await store.put(table_key("acme", "seat"), "by", b'"somebody else"', None)

        commands = await runner.run(text(), early)
        assert texts(commands) == ["taken by somebody else"]
        assert [command.kind for command in out] == [CommandKind.READ]
        assert commands[0].command_id != out[0].command_id

    asyncio.run(body())


def test_an_event_is_not_finished_before_its_read_mark_is_out() -> None:
    """If a lost read mark were forgotten, a crash right then would lose it for good."""

    async def body() -> None:
        runner, _, store = runner_of(handlers.Attentive)

        async def early(_: Command) -> None:
            await asyncio.sleep(0.01)
            raise OversizeRecord("too large")

        with pytest.raises(OversizeRecord):
            await runner.run(text(), early)
        assert not store._rows

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


class NoCalls(MemoryStore):
    """A store that must not be asked."""

    async def recorded(self, key: str) -> bytes | None:
        raise AssertionError("asked")


def test_an_unwritten_hook_costs_nothing() -> None:
    """If every read receipt cost a round trip, statuses would triple the load on Redis for nothing."""

    async def body() -> None:
        runner = HandlerRunner(settings(H + "OnlyMessages"), tenants(), NoCalls())
        for event in (status(), error(131000), unknown()):
            assert await runner.run(event) == []
        stats = runner.handler("acme").get_all_stats()
        assert stats["status"]["read"] == stats["errors"]["total_errors"] == stats["system"]["total_events"] == 1

    asyncio.run(body())


def test_one_object_serves_many_tenants_at_once() -> None:
    """If what is injected belonged to the object, concurrent events would write into each other's caches."""

    async def body() -> None:
        runner, _, store = runner_of(handlers.KeepsCache)
        events = [
            text(message_id=f"wamid.{tenant}.{user}", from_=f"1555{user}", tenant=tenant)
            for tenant in ("acme", "globex")
            for user in range(50)
        ]
        answers = await asyncio.gather(*(runner.run(event) for event in events))
        assert [texts(commands) for commands in answers] == [[f"{event.tenant_id} 1"] for event in events]
        for event, (command,) in zip(events, answers, strict=True):
            assert (command.tenant_id, command.recipient) == (event.tenant_id, event.contact)
            assert await store.row(f"{{{event.tenant_id}}}:user:{event.contact}:{event.contact}") == {"count": b"1"}

    asyncio.run(body())


def test_attributes_of_the_object_are_shared_and_safe() -> None:
    """If each event had a copy of the object, the documents' counters would not count; if context leaked, worse."""

    async def body() -> None:
        runner, handler, _ = runner_of(handlers.KeepsAttributes)
        events = [
            text(message_id=f"wamid.{tenant}.{user}", from_=f"1555{user}", tenant=tenant)
            for tenant in ("acme", "globex")
            for user in range(100)
        ]
        answers = await asyncio.gather(*(runner.run(event) for event in events))
        assert handler._count == len(handler._times) == 200
        assert handler._by_tenant == {"acme": 100, "globex": 100}
        for event, commands in zip(events, answers, strict=True):
            tenant, words = event.tenant_id, texts(commands)
            assert sorted(words[:2]) == [f"gathered {tenant}", f"task {tenant}"]
            assert words[2].startswith(f"{event.contact} {ACCOUNT} ")
            assert {(command.tenant_id, command.recipient) for command in commands} == {(tenant, event.contact)}
        with pytest.raises(OutsideEvent):
            _ = handler.user_id

    asyncio.run(body())


def test_conversations_that_write_one_row_lose_nothing() -> None:
    """If two conversations' read-modify-writes on a shared row overwrote each other, a seat would be sold twice."""

    async def body() -> None:
        runner, _, store = runner_of(handlers.SharedRow)
        events = [text(message_id=f"wamid.{user}", from_=f"1555{user}") for user in range(30)]
        await asyncio.gather(*(runner.run(event) for event in events))
        assert await store.field("{acme}:table:visitors", "count") == b"30"

    asyncio.run(body())


def test_many_slow_handlers_of_one_row_in_two_workers_come_to_an_end() -> None:
    """If everybody tried again at once, a busy table would be handled over and over, and events become dead letters."""

    async def body() -> None:
        store = MemoryStore()
        workers = [HandlerRunner(settings(H + "SlowlySharedRow"), tenants(acme=None), store) for _ in range(2)]
        events = [text(message_id=f"wamid.{user}", from_=f"1555{user}") for user in range(100)]
        await asyncio.gather(*(workers[number % 2].run(event) for number, event in enumerate(events)))
        assert await store.field("{acme}:table:visitors", "count") == b"100"
        seen = [handler.seen for worker in workers if isinstance(handler := worker.handler("acme"), handlers.Recorder)]
        assert sum(map(len, seen)) < 500, "a few handlings an event, not a hundred"

    asyncio.run(body())


def test_a_conflict_is_no_fault_of_the_event() -> None:
    """If a conflict were an attempt, the busiest row's events would end as dead letters."""
    assert not Retries().gives_up(Conflict("changed"), 1000)


def test_a_thousand_slow_conversations_at_once() -> None:
    """If handlers that wait for a service ran one after the other, a thousand users would wait for minutes."""

    async def body() -> None:
        runner, handler, _ = runner_of(handlers.Waits)
        events = [text(message_id=f"wamid.{user}", from_=f"1555{user}") for user in range(1000)]
        started = time.perf_counter()
        answers = await asyncio.gather(*(runner.run(event) for event in events))
        assert time.perf_counter() - started < 2
        assert [texts(commands) for commands in answers] == [["hi"]] * 1000
        assert len(handler.seen) == 1000

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
        with pytest.raises(OutsideEvent, match="await everything"):
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
    tally = Tally("(others)", limit=3)
    for number in range(10):
        tally.add(str(number))
    tally.add("0")
    assert tally.counts() == {"0": 2, "1": 1, "2": 1, "(others)": 7}


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
