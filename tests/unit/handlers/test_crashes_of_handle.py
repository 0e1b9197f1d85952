"""The worker of the handlers dies or freezes between any two of its steps, and every event still has one effect."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.agents.handle import handle
from pipeline.handlers import EventHandler
from pipeline.handlers.expiry import RecordExpiry
from pipeline.handlers.runner import HandlerRunner
from pipeline.handlers.unit_of_work import GRACE_PERIOD, NO_EFFECT, UnitOfWork
from pipeline.runtime.flows.commit_queue import CommitQueue, CommitRequest
from pipeline.runtime.flows.dead_letters import dead_letter
from pipeline.runtime.flows.in_flight import InFlightRecord
from pipeline.runtime.flows.record_runner import RecordRunner
from pipeline.state import MemoryStore
from pipeline.state.change import RowChange
from pipeline.state.encoding import Fields
from pipeline.state.keys import unit_key
from pipeline.state.store import Committed, UnitRecord
from pipeline.topics import headers
from pipeline.topics.catalogue import COMMANDS_INTERACTIVE
from pipeline.topics.codec import decode_command
from pipeline.topics.commands import Command, CommandKind, command_id
from pipeline.topics.events import MessageEvent
from pipeline.topics.records import Record, header
from tests.support.crash_points import Died, Flows, Process, World, lives, two_owners
from tests.support.handler_events import USER, settings, tenants, text
from tests.support.handlers_for_tests import FailsInItsFirstLife, Form

EVENTS = "events.default"
MESSAGES = ("wamid.1", "wamid.2")
"""Both of one person, who must be answered in this order."""
ROW = "{acme}:table:visits"
RUNS = count()
"""Tells every run of the handler from every other one."""


class Greeter(EventHandler):
    """A read mark at once, two writes, two answers; and no run of it says what another one says."""

    async def process_message(self, webhook: MessageEvent) -> None:
        row = self.cache_factory.create_table_cache()
        await self.messenger.mark_as_read(webhook.message.message_id, typing=True)
        await row.increment_field("visits", "n")
        await row.append_to_list("visits", "log", webhook.message.message_id)
        for _ in range(2):
            await self.messenger.send_text(f"run {next(RUNS)}", webhook.user.user_id)


class Redis(MemoryStore):
    """One process' connection to the rows that all share. What it asks and what it writes are steps."""

    def __init__(self, shared: MemoryStore, process: Process) -> None:
        super().__init__()
        self._rows = shared._rows
        self._process = process

    async def recorded(self, key: str) -> bytes | None:
        await self._process.step()
        return await super().recorded(key)

    async def row(self, key: str) -> Fields | None:
        await self._process.step()
        return await super().row(key)

    async def commit(self, changes: Sequence[RowChange], record: UnitRecord | None = None) -> Committed:
        await self._process.step()
        committed = await super().commit(changes, record)
        await self._process.step()
        return committed


@dataclass
class Outside:
    """Redis, and events that wait: by default two.

    Args:
        events: in order. One that stands there twice was published twice, by an intake that died.
    """

    handler: type[EventHandler] = Greeter
    events: Sequence[MessageEvent] = field(default_factory=lambda: [text(message_id=name) for name in MESSAGES])
    rows: MemoryStore = field(default_factory=MemoryStore)
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        for event in self.events:
            self.world.append(Record(EVENTS, event.conversation.encode(), event.to_json()))

    def start(self, process: Process) -> Flows:
        named = settings(f"{self.handler.__module__}.{self.handler.__name__}")
        runner = HandlerRunner(named, tenants(acme=None), Redis(self.rows, process))
        process.on_end(partial(_close, runner))
        return {EVENTS: handle(runner, 10)}

    @property
    def commands(self) -> list[Command]:
        return [decode_command(record) for record in self.world.log(COMMANDS_INTERACTIVE.name)]


async def _close(runner: HandlerRunner) -> None:
    with suppress(Died):
        await runner.close()


def _die(outside: Outside, *deaths: int) -> list[Process]:
    return asyncio.run(lives(outside.world, outside.start, "none", deaths))


def _require_one_effect(outside: Outside) -> None:
    """Doubled commands count once, for the messenger knows them by their ids: so none may differ from its double."""
    row = asyncio.run(outside.rows.row(ROW))
    assert row == {"n": b"2", "log": b'["wamid.1","wamid.2"]'}
    answers = [command for command in outside.commands if command.kind is CommandKind.TEXT]
    said = {command.command_id: command.body["text"] for command in answers}
    events = [text(message_id=message_id).event_id for message_id in MESSAGES]
    assert list(said) == [command_id(event, step) for event in events for step in (0, 1)], "each, and in order"
    assert all(command.body["text"] == said[command.command_id] for command in answers), "one run spoke"
    marks = {command.command_id for command in outside.commands if command.kind is CommandKind.READ}
    assert marks == {command_id(event, -1) for event in events}
    assert set(outside.world.logs) == {EVENTS, COMMANDS_INTERACTIVE.name}, "no dead letter"


def _steps() -> int:
    (undisturbed,) = _die(Outside())
    return undisturbed.steps


def test_one_effect_wherever_it_dies() -> None:
    """A worker that is killed at the wrong moment would count a visit twice, or answer with two different answers."""
    steps = _steps()
    assert steps >= 20, "every durable write is a step"
    for dies_at in range(1, steps + 1):
        outside = Outside()
        assert _die(outside, dies_at)[0].dead
        _require_one_effect(outside)


@given(st.lists(st.integers(1, 30), max_size=6))
def test_one_effect_however_often_it_dies(deaths: list[int]) -> None:
    """A worker that dies again while it recovers would lose an answer or double it."""
    outside = Outside()
    _die(outside, *deaths)
    _require_one_effect(outside)


def test_one_effect_wherever_it_freezes_while_another_takes_its_place() -> None:
    """A machine that is paused for longer than its session would handle what another has handled meanwhile."""
    froze = set()
    for freezes_at in range(1, _steps() + 1):
        for after in (0, 1, 2, 4, 8, 99):
            outside = Outside()
            if asyncio.run(two_owners(outside.world, outside.start, "none", freezes_at, after)):
                froze.add(freezes_at)
            _require_one_effect(outside)
    assert len(froze) > 10, "every step that awaits something is one to freeze at"


def _finds() -> bool:
    """Whether some death shows that it is wrong."""
    for dies_at in range(1, 30):
        outside = Outside()
        _die(outside, dies_at)
        try:
            _require_one_effect(outside)
        except AssertionError:
            return True
    return False


def test_the_search_finds_a_commit_without_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof."""
    committed = Redis.commit

    async def forgets(self: Redis, changes: Sequence[RowChange], record: UnitRecord | None = None) -> Committed:
        return await committed(self, changes)

    assert not _finds()
    monkeypatch.setattr(Redis, "commit", forgets)
    assert _finds()


def test_the_search_finds_answers_that_go_out_before_they_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof."""

    def at_once(self: UnitOfWork, command: Command) -> None:
        assert self._publish_immediate is not None
        self._sent_immediately.append(asyncio.ensure_future(self._publish_immediate(command)))

    monkeypatch.setattr(UnitOfWork, "send", at_once)
    assert _finds()


def test_the_search_finds_offsets_that_go_before_their_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof."""

    async def release_first(queue: CommitQueue, requests: list[CommitRequest]) -> None:
        for request in requests:
            request.on_committed()
        await queue._context.publisher.publish(output for request in requests for output in request.outputs)

    monkeypatch.setattr(CommitQueue, "_commit", release_first)
    assert _finds()


# Events without an effect


def _form(*said: str) -> Outside:
    """A form that somebody fills in. Who says the same twice is one event that was published twice."""
    return Outside(Form, [text(words, message_id=f"wamid.{words}") for words in said])


def _require_the_forms_answers(outside: Outside) -> None:
    """As if every event had been handled once, in the order in which it was first there."""
    filled: list[str] | None = None
    expected: list[str] = []
    for words in dict.fromkeys(event.get_message_text() or "" for event in outside.events):
        if filled is None:
            filled = [] if words == "start" else None
        elif words == "stop":
            filled = None
        else:
            filled.append(words)
            expected.append(f"you said: {words}")
    said = {command.command_id: command.body["text"] for command in outside.commands}
    assert list(said.values()) == expected
    row = asyncio.run(outside.rows.row(f"{{acme}}:state:{USER}:form"))
    assert row == (None if filled is None else {"said": orjson.dumps(filled)})
    assert set(outside.world.logs) <= {EVENTS, COMMANDS_INTERACTIVE.name}, "no dead letter"


FORMS = (
    ("hello", "start"),
    ("hello", "start", "name", "stop", "bye"),
    ("hello", "start", "hello", "start", "name"),
    ("one", "start", "two", "stop", "one", "start", "two", "stop"),
)
"""The last two were partly published twice."""


@pytest.mark.parametrize("said", FORMS)
def test_what_was_ignored_stays_ignored_wherever_it_dies(said: Sequence[str]) -> None:
    """A form that ignores what comes before "start" would answer it, when a worker died behind the "start"."""
    (undisturbed,) = _die(_form(*said))
    for dies_at in range(1, undisturbed.steps + 1):
        outside = _form(*said)
        _die(outside, dies_at)
        _require_the_forms_answers(outside)


@given(
    st.lists(st.sampled_from(["a", "b", "start", "stop", "c"]), max_size=8), st.lists(st.integers(1, 40), max_size=4)
)
def test_what_was_ignored_stays_ignored_however_often_it_dies(said: list[str], deaths: list[int]) -> None:
    """A worker that dies again while it recovers would answer what it had ignored."""
    outside = _form(*said)
    _die(outside, *deaths)
    _require_the_forms_answers(outside)


@pytest.mark.parametrize("said", FORMS[:3])
def test_what_was_ignored_stays_ignored_while_another_takes_its_place(said: Sequence[str]) -> None:
    """A machine that is paused before it reads would read what another made of a later event, and answer."""
    (undisturbed,) = _die(_form(*said))
    froze = set()
    for freezes_at in range(1, undisturbed.steps + 1):
        for after in (0, 1, 2, 4, 8, 99):
            outside = _form(*said)
            if asyncio.run(two_owners(outside.world, outside.start, "none", freezes_at, after)):
                froze.add(freezes_at)
            _require_the_forms_answers(outside)
    assert len(froze) > 5, "every step that awaits something is one to freeze at"


def _form_finds() -> bool:
    """Whether some death shows that what was ignored did not stay so."""
    for said in FORMS:
        for dies_at in range(1, 40):
            dying = _form(*said)
            _die(dying, dies_at)
            try:
                _require_the_forms_answers(dying)
            except AssertionError:
                return True
    return False


def test_the_search_finds_that_what_was_ignored_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof."""
    committed = Redis.commit

    async def forgets(self: Redis, changes: Sequence[RowChange], record: UnitRecord | None = None) -> Committed:
        if record is not None and record.content == NO_EFFECT:
            return Committed(())
        return await committed(self, changes, record)

    assert not _form_finds()
    monkeypatch.setattr(Redis, "commit", forgets)
    assert _form_finds()


def test_the_search_finds_that_what_was_ignored_is_forgotten_with_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof: what is published twice comes behind the commit."""

    def at_once(self: RecordExpiry, _: str, key: str) -> None:
        rows: Any = self._store
        rows._rows.pop(key, None)

    monkeypatch.setattr(RecordExpiry, "add", at_once)
    assert _form_finds()


def test_a_commit_cuts_the_life_of_what_had_no_effect() -> None:
    """If records of events without an effect stayed for a week, they would fill Redis."""
    outside = _form("hello", "start", "name")
    _die(outside, 0)
    left = {event.get_message_text(): asyncio.run(outside.rows.ttl(_unit(event))) for event in outside.events}
    assert 0 < left["hello"] <= GRACE_PERIOD
    assert left["start"] > GRACE_PERIOD
    assert left["name"] > GRACE_PERIOD


def _unit(event: MessageEvent) -> str:
    return unit_key(event.tenant_id, event.event_id)


# Events that are given up

LETTERS = "dead-letters.handle"


def _unlucky(*said: str) -> Outside:
    """By default "bad" comes once, and what is said later behind it."""
    FailsInItsFirstLife.lives = 0
    events = [text(words, message_id=f"wamid.{words}") for words in said or ("bad", "later")]
    return Outside(FailsInItsFirstLife, events)


def _require_one_verdict(outside: Outside, *, frozen: bool = False) -> None:
    """It was given up, or handled in its turn; and not both. A process that was frozen may leave a letter too many."""
    said = {command.command_id: command.body["text"] for command in outside.commands}
    letters = outside.world.log(LETTERS)
    assert list(said.values()) in (["sorry", "heard later"], ["heard bad", "heard later"])
    if "sorry" in said.values() or not frozen:
        assert bool(letters) == ("sorry" in said.values())
    assert {header(letter.headers, headers.ERROR_TYPE) for letter in letters} <= {"PermanentError"}
    assert set(outside.world.logs) <= {EVENTS, COMMANDS_INTERACTIVE.name, LETTERS}


@pytest.mark.parametrize("said", [("bad", "later"), ("bad", "later", "bad")])
def test_what_was_given_up_stays_so_wherever_it_dies(said: Sequence[str]) -> None:
    """A dead letter would be answered after all, behind a later event, and its person told that it failed, too."""
    (undisturbed,) = _die(_unlucky(*said))
    assert undisturbed.steps > 10
    for dies_at in range(1, undisturbed.steps + 1):
        outside = _unlucky(*said)
        _die(outside, dies_at)
        _require_one_verdict(outside)


@given(st.lists(st.integers(1, 30), max_size=5))
def test_what_was_given_up_stays_so_however_often_it_dies(deaths: list[int]) -> None:
    """A worker that dies again while it gives up again would forget that it had."""
    outside = _unlucky()
    _die(outside, *deaths)
    _require_one_verdict(outside)


def test_what_was_given_up_stays_so_while_another_takes_its_place() -> None:
    """A machine that is paused before it gives up would say sorry for what another answered meanwhile."""
    (undisturbed,) = _die(_unlucky())
    froze = set()
    for freezes_at in range(1, undisturbed.steps + 1):
        for after in (0, 1, 2, 4, 8, 99):
            outside = _unlucky()
            if asyncio.run(two_owners(outside.world, outside.start, "none", freezes_at, after)):
                froze.add(freezes_at)
            _require_one_verdict(outside, frozen=True)
    assert len(froze) > 5, "every step that awaits something is one to freeze at"


def test_the_search_finds_that_what_was_given_up_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof."""
    committed = Redis.commit

    async def forgets(self: Redis, changes: Sequence[RowChange], record: UnitRecord | None = None) -> Committed:
        if record is not None and record.content.startswith(b"{"):
            return await committed(self, changes)
        return await committed(self, changes, record)

    assert not _verdict_finds()
    monkeypatch.setattr(Redis, "commit", forgets)
    assert _verdict_finds()


def test_the_search_finds_a_dead_letter_that_goes_out_before_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof."""

    announce = RecordRunner.announce_give_up

    async def letter_first(runner: RecordRunner, item: InFlightRecord, error: Exception) -> None:
        await runner._commits.commit([(dead_letter(item.record, "handle", error, 1), item.record)], [])
        await announce(runner, item, error)

    monkeypatch.setattr(RecordRunner, "announce_give_up", letter_first)
    assert _verdict_finds()


def _verdict_finds() -> bool:
    """Whether some death shows that an event was both given up and handled."""
    for dies_at in range(1, 30):
        outside = _unlucky()
        _die(outside, dies_at)
        try:
            _require_one_verdict(outside)
        except AssertionError:
            return True
    return False
