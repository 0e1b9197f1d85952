"""Events for which a hook did nothing: remembered until their offsets are committed, and a while longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from pipeline.agents.handle import handle
from pipeline.errors import Unavailable
from pipeline.handlers import HandlerRunner
from pipeline.handlers.unit_of_work import GRACE_PERIOD, RETRY_SPAN
from pipeline.state import MemoryStore
from pipeline.state.change import RowChange
from pipeline.state.keys import unit_key
from pipeline.state.store import Committed, UnitRecord
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics import headers
from pipeline.topics.codec import decode_command
from pipeline.topics.commands import Command
from pipeline.topics.records import header
from tests.support import handlers_for_tests as handlers
from tests.support.handler_events import settings, status, tenants, text
from tests.support.runners import H, NoCalls, runner_of, texts

HELLO = text("hello", message_id="wamid.hello")
START = text("start", message_id="wamid.start")
RECORD = unit_key(HELLO.tenant_id, HELLO.event_id)


class Commits:
    """Stands for the runtime: tells of commits when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, then: Callable[[], None]) -> None:
        self.waiting.append(then)

    async def commit(self, runner: HandlerRunner) -> None:
        for then in self.waiting:
            then()
        await runner.close()


def test_its_record_stays_until_the_commit_and_a_while_longer() -> None:
    """A worker that is down for a day would forget it, or Redis would keep every read receipt for a week."""

    async def body() -> None:
        runner, _, store = runner_of(handlers.Form)
        commits = Commits()
        assert await runner.run(HELLO, None, commits) == []
        assert await store.ttl(RECORD) == RETRY_SPAN
        assert await runner.run(START, None, commits) == []
        assert len(commits.waiting) == 1, "what had an effect is remembered for the whole span"
        await commits.commit(runner)
        assert await store.ttl(RECORD) == GRACE_PERIOD
        assert await runner.run(HELLO) == [], "published again by an intake that died"

    asyncio.run(body())


def test_what_is_delivered_again_is_let_go_by_the_next_commit() -> None:
    """What a worker that died had not committed would stay for a week."""

    async def body() -> None:
        runner, _, store = runner_of(handlers.Form)
        commits = Commits()
        await runner.run(HELLO, None, Commits())
        await runner.run(HELLO, None, commits)
        await commits.commit(runner)
        assert await store.ttl(RECORD) == GRACE_PERIOD

    asyncio.run(body())


def test_a_hook_that_only_marks_as_read_has_no_effect() -> None:
    """Read marks alone would be remembered for a week each, or go out again behind later events."""

    async def body() -> None:
        runner, handler, _ = runner_of(handlers.MarksOnly)
        commits, out = Commits(), list[Command]()

        async def early(command: Command) -> None:
            out.append(command)

        for _ in range(2):
            assert await runner.run(HELLO, early, commits) == []
        assert len(out) == len(handler.seen) == 1
        assert len(commits.waiting) == 2

    asyncio.run(body())


def test_a_last_word_that_says_nothing_is_not_asked_for_again() -> None:
    """`process_failure` would run again behind later events, and might find something to say then."""

    async def body() -> None:
        runner, handler, _ = runner_of(handlers.SpeechlessFailure)
        commits = Commits()
        for _ in range(2):
            assert await runner.give_up(HELLO, ValueError(), commits) == []
        assert handler.failures == 1
        assert len(commits.waiting) == 2

    asyncio.run(body())


def test_a_hook_that_nobody_has_written_asks_and_leaves_nothing() -> None:
    """Every read receipt would cost Redis something, for handlers that do not look at them."""

    async def body() -> None:
        store, commits = NoCalls(), Commits()
        runner = HandlerRunner(settings(H + "OnlyMessages"), tenants(acme=None), store)
        assert await runner.run(status(), None, commits) == []
        assert not store._rows
        assert not commits.waiting

    asyncio.run(body())


class Away(MemoryStore):
    """Redis goes away before each commit, once."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0

    async def commit(self, changes: Sequence[RowChange], record: UnitRecord | None = None) -> Committed:
        self.commits += 1
        if self.commits == 1:
            raise Unavailable("away")
        return await super().commit(changes, record)


def test_while_the_store_is_away_it_is_tried_again() -> None:
    """A later event of the conversation would go first, and a crash then would show the hook what that one wrote."""

    async def body() -> None:
        store = Away()
        runner = HandlerRunner(settings(H + "Form"), tenants(acme=None), store)
        with pytest.raises(Unavailable):
            await runner.run(HELLO)
        assert await runner.run(HELLO) == []
        assert await store.recorded(RECORD) is not None

    asyncio.run(body())


def test_the_stage_passes_the_commit_on() -> None:
    """No record of an event without an effect would be let go before a week is over."""
    store = MemoryStore()

    async def runner() -> HandlerRunner:
        return HandlerRunner(settings(H + "Form"), tenants(), store)

    driver = TopologyTestDriver(handle(asyncio.run(runner()), 10))
    driver.pipe(TestRecord(HELLO.to_json()), crash_before_mark=True)
    assert asyncio.run(store.ttl(RECORD)) == RETRY_SPAN
    driver.pipe(TestRecord(HELLO.to_json()), TestRecord(START.to_json()))
    assert asyncio.run(store.ttl(RECORD)) == GRACE_PERIOD
    name = text("Ana", message_id="wamid.name")
    assert len(driver.pipe(TestRecord(HELLO.to_json()), TestRecord(name.to_json()))) == 1


def test_only_what_was_redriven_is_handled_after_it_was_given_up() -> None:
    """The same letter would say another thing each time, or mending a handler and redriving would not help."""
    handlers.FailsInItsFirstLife.lives = 0
    store = MemoryStore()

    def worker() -> TopologyTestDriver:
        return TopologyTestDriver(
            handle(HandlerRunner(settings(H + "FailsInItsFirstLife"), tenants(acme=None), store), 10)
        )

    bad = text("bad", message_id="wamid.bad").to_json()
    first, second = worker(), worker()
    apology, letter = first.pipe(TestRecord(bad), crash_before_mark=True)
    again, same = second.pipe(TestRecord(bad))
    assert again == apology
    for name in (headers.ERROR_TYPE, headers.ERROR_MESSAGE):
        assert header(same.headers, name) == header(letter.headers, name)
    assert header(same.headers, headers.ERROR_TYPE) == "PermanentError"
    (answer,) = second.pipe(TestRecord(bad, headers=((headers.REDRIVEN, b"1"),)))
    assert decode_command(TestRecord.of(answer)).body["text"] == "heard bad"
    assert second.pipe(TestRecord(bad)) == [answer]


def test_a_form_runs_in_the_runner() -> None:
    """The tests above would show nothing with a form that never answers."""

    async def body() -> None:
        runner, _, _ = runner_of(handlers.Form)
        said = [await runner.run(event) for event in (HELLO, START, text("Ana", message_id="wamid.name"))]
        assert [texts(commands) for commands in said] == [[], [], ["you said: Ana"]]

    asyncio.run(body())
