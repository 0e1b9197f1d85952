"""The runner: time, failures, conflicts, what goes out early, and many events on one object."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from pipeline.backoff import RetryPolicy
from pipeline.errors import (
    ConfigurationError,
    Conflict,
    GivenUp,
    HandlerTimeout,
    NoActiveEvent,
    OversizeRecord,
    Unavailable,
)
from pipeline.handlers import HandlerRunner
from pipeline.handlers.unit_of_work import GRACE_PERIOD, RETRY_SPAN, UnitOfWork
from pipeline.state import MemoryStore
from pipeline.state.change import RowChange
from pipeline.state.keys import table_key, unit_key
from pipeline.state.store import Committed, UnitRecord
from pipeline.testing.own_time import OwnTime
from pipeline.topics.commands import Command, CommandKind, command_id
from tests.support import handlers_for_tests as handlers
from tests.support.handler_events import ACCOUNT, settings, tenants, text
from tests.support.runners import H, runner_of, texts
from tests.support.waiting import HANG


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
        apology = await runner.give_up(text(), caught.value)
        assert texts(apology) == ["sorry: once"]
        assert await runner.give_up(text(), ValueError("another")) == apology
        answer = await runner.run(text(), redriven=True)
        assert texts(answer) == ["hi"]
        assert apology[0].command_id not in {command.command_id for command in answer}
        assert apology[0].event_id == text().event_id

    asyncio.run(body())


def test_what_was_given_up_stays_so_until_it_is_redriven() -> None:
    """A dead letter whose worker died before the commit would be answered behind later events of its conversation."""

    async def body(handler: str, error: Exception, said: list[str]) -> None:
        runner, _, store = runner_of(getattr(handlers, handler))
        commits: list[Callable[[], None]] = []
        apology = await runner.give_up(text(), error, commits.append)
        assert texts(apology) == said
        for _ in range(2):
            with pytest.raises(GivenUp, match="for a reason") as caught:
                await runner.run(text(), when_committed=commits.append)
            assert caught.value.error_type == "LookupError"
            assert await runner.give_up(text(), caught.value, commits.append) == apology
        for then in commits:
            then()
        await runner.close()
        assert await store.ttl(unit_key("acme", text().event_id)) == (RETRY_SPAN if said else GRACE_PERIOD)
        assert texts(await runner.run(text(), redriven=True)) == ["hi"]
        assert texts(await runner.run(text())) == ["hi"], "from now on it is one that was handled"

    failed = LookupError("for a reason")
    asyncio.run(body("OnlyMessages", failed, []))
    asyncio.run(body("Apologises", failed, ["sorry"]))


def test_a_last_word_that_fails_leaves_its_event_given_up() -> None:
    """A mistake in `process_failure` would let its event be handled behind later ones."""

    async def body() -> None:
        runner, handler, _ = runner_of(handlers.WrongFailure)
        with pytest.raises(ZeroDivisionError):
            await runner.give_up(text(), LookupError("for a reason"))
        with pytest.raises(GivenUp):
            await runner.run(text())
        assert not handler.seen

    asyncio.run(body())


def test_nothing_is_given_up_while_the_store_is_away() -> None:
    """Its dead letter would be there without the record that keeps it one."""

    class Away(MemoryStore):
        async def commit(self, changes: Sequence[RowChange], record: UnitRecord | None = None) -> Committed:
            raise Unavailable("away")

    async def body() -> None:
        runner = HandlerRunner(settings(H + "OnlyMessages"), tenants(acme=None), Away())
        with pytest.raises(Unavailable):
            await runner.give_up(text(), LookupError())

    asyncio.run(body())


def test_two_workers_agree_whether_an_event_was_given_up() -> None:
    """One that was frozen would answer what another had given up, or apologise for what another had answered."""

    async def body() -> None:
        runner, _, store = runner_of(handlers.OnlyMessages)
        frozen = UnitOfWork(store, "acme", text().event_id)
        redriven = UnitOfWork(store, "acme", text().event_id, redriven=True)
        assert await frozen.recorded() is None
        assert await redriven.recorded() is None
        await runner.give_up(text(), LookupError("for a reason"))
        with pytest.raises(GivenUp):
            await frozen.commit()
        with pytest.raises(Conflict):
            await redriven.commit()
        answer = await runner.run(text(), redriven=True)
        assert await runner.give_up(text(), LookupError()) == answer

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


def test_one_object_serves_many_tenants_at_once() -> None:
    """If what is injected belonged to the object, concurrent events would write into each other's caches."""

    async def body() -> None:
        runner, _, store = runner_of(handlers.KeepsCache)
        events = [
            text(message_id=f"wamid.{tenant}.{user}", from_=f"1555000{user}", tenant=tenant)
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
            text(message_id=f"wamid.{tenant}.{user}", from_=f"1555000{user}", tenant=tenant)
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
        with pytest.raises(NoActiveEvent):
            _ = handler.user_id

    asyncio.run(body())


def test_conversations_that_write_one_row_lose_nothing() -> None:
    """If two conversations' read-modify-writes on a shared row overwrote each other, a seat would be sold twice."""

    async def body() -> None:
        runner, _, store = runner_of(handlers.SharedRow)
        events = [text(message_id=f"wamid.{user}", from_=f"1555000{user}") for user in range(30)]
        await asyncio.gather(*(runner.run(event) for event in events))
        assert await store.field("{acme}:table:visitors", "count") == b"30"

    asyncio.run(body())


def test_many_slow_handlers_of_one_row_in_two_workers_come_to_an_end() -> None:
    """If everybody tried again at once, a busy table would be handled over and over, and events become dead letters."""

    async def body() -> None:
        store = MemoryStore()
        workers = [HandlerRunner(settings(H + "SlowlySharedRow"), tenants(acme=None), store) for _ in range(2)]
        events = [text(message_id=f"wamid.{user}", from_=f"1555000{user}") for user in range(100)]
        await asyncio.gather(*(workers[number % 2].run(event) for number, event in enumerate(events)))
        assert await store.field("{acme}:table:visitors", "count") == b"100"
        seen = [handler.seen for worker in workers if isinstance(handler := worker.handler("acme"), handlers.Recorder)]
        assert sum(map(len, seen)) < 500, "a few handlings an event, not a hundred"

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(body())


def test_a_conflict_is_no_fault_of_the_event() -> None:
    """If a conflict were an attempt, the busiest row's events would end as dead letters."""
    assert not RetryPolicy().gives_up(Conflict("changed"), 1000)


def test_a_thousand_slow_conversations_at_once() -> None:
    """If handlers that wait for a service ran one after the other, a thousand users would wait for minutes."""

    async def body() -> None:
        runner, handler, _ = runner_of(handlers.WaitsForAll)
        events = [text(message_id=f"wamid.{user}", from_=f"1555000{user}") for user in range(1000)]
        async with asyncio.timeout(HANG):
            answers = await asyncio.gather(*(runner.run(event) for event in events))
        assert [texts(commands) for commands in answers] == [["hi"]] * 1000
        assert len(handler.seen) == 1000

    asyncio.run(body())
