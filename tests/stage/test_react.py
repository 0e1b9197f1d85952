"""react: agents beside the handlers, in the loop that runs them in a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipeline.agents.handle import handle
from pipeline.agents.react import fair_key, react
from pipeline.agents.readings import AgentReader
from pipeline.handlers.agents import AgentRunner, load_agent
from pipeline.handlers.base import EventHandler
from pipeline.handlers.runner import HandlerRunner
from pipeline.state import MemoryStore
from pipeline.testing import TestRecord, TopologyTestDriver, api_message, incoming_text, status_event
from pipeline.topics import headers
from pipeline.topics.agents import AgentEntry
from pipeline.topics.catalogue import COMMANDS_INTERACTIVE, OUTCOMES
from pipeline.topics.codec import decode_command, encode_command, encode_outcome
from pipeline.topics.commands import Command
from pipeline.topics.dead_letters import DeadLetter, parse_dead_letter
from pipeline.topics.events import EventBase
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from pipeline.topics.records import Record
from tests.support import agents_for_tests as agents
from tests.support import handlers_for_tests as handlers
from tests.support.handler_events import settings, tenants

EVENTS = "events.default"
KNOWN = tenants(acme=None, globex=None)


def entry(name: str, path: str | None = None, **more: Any) -> AgentEntry:
    return AgentEntry(id=name, agent=path or f"{agents.__name__}.{name}", **more)


class Beside(TopologyTestDriver):
    """An agent beside the handlers, with a store that others may share."""

    def __init__(self, what: AgentEntry, store: MemoryStore) -> None:
        self.entry, self.store = what, store

        async def runner() -> AgentRunner:
            found = load_agent(what)
            assert isinstance(found, EventHandler)
            return AgentRunner(what, found, settings(), KNOWN, store)

        super().__init__(react(asyncio.run(runner()), 10))

    def rows(self, tenant: str = "acme", key: str = "") -> dict[str, dict[str, bytes]]:  # type: ignore[override]
        """The agent's own rows of its table."""
        names = asyncio.run(self.store.keys(f"{{{tenant}%2F{self.entry.id}}}:group:table"))
        return {name.rpartition(":")[2]: asyncio.run(self._row(name)) for name in names}

    async def _row(self, name: str) -> dict[str, bytes]:
        return await self.store.row(name) or {}


def record(event: EventBase, **more: str) -> TestRecord:
    """An event on its lane, as `route` publishes it."""
    named = {headers.TENANT: event.tenant_id, headers.EVENT_TYPE: event.kind, headers.EVENT_ID: event.event_id, **more}
    found = tuple((name, value.encode()) for name, value in named.items())
    return TestRecord(event.model_dump_json().encode(), event.conversation.encode(), found, EVENTS)


def commands(published: Sequence[Record]) -> list[Command]:
    return [decode_command(TestRecord.of(each)) for each in published if each.topic.startswith("commands.")]


def handler_of(store: MemoryStore, kind: type[EventHandler] = handlers.OnlyMessages) -> TopologyTestDriver:
    async def runner() -> HandlerRunner:
        return HandlerRunner(settings(f"{handlers.__name__}.{kind.__name__}"), KNOWN, store)

    return TopologyTestDriver(handle(asyncio.run(runner()), 10))


def test_an_agent_has_its_effects_beside_the_handlers_and_once_each() -> None:
    """An agent would take an event for handled because the handler has handled it, or answer twice."""
    store, event = MemoryStore(), record(incoming_text("hi", from_="15550003333"))
    bot, counter, other = handler_of(store), Beside(entry("counts"), store), Beside(entry("also_answers"), store)
    for driver in (bot, counter, other, bot, counter, other):
        driver.pipe(event)
    assert counter.rows() == {"15550003333": {"messages": b"1"}}
    said = [command.body["text"] for command in commands([*bot.published, *other.published])]
    assert sorted(set(said)) == ["Noted: hi", "hi"]
    ids = {command.command_id for command in commands([*bot.published, *other.published])}
    assert len(ids) == 2, "a redelivery makes the same ids, and no two agents share one"


def test_two_agents_of_one_function_do_not_share_rows_or_ids() -> None:
    """An agent that is deployed anew under another id would skip what another has counted, or lose its sends."""
    store, event = MemoryStore(), record(incoming_text("hi", from_="15550003333"))
    path = f"{agents.__name__}.also_answers"
    first, second = Beside(entry("one", path), store), Beside(entry("two", path), store)
    sent = [*commands(first.pipe(event)), *commands(second.pipe(event))]
    assert len({command.command_id for command in sent}) == 2
    assert all(command.event_id == sent[0].event_id and command.tenant_id == "acme" for command in sent)


def test_an_agent_that_raises_has_dead_letters_of_its_own() -> None:
    """Its failures would be the handler's: redriven to it, and counted against it."""
    store = MemoryStore()
    broken = Beside(entry("raises"), store)
    broken.pipe(record(incoming_text("hi")))
    (letter,) = broken.dead_letters
    assert letter.topic == "dead-letters.agent-raises"
    assert broken.rows() == {}
    assert commands(handler_of(store).pipe(record(incoming_text("hi"))))


def test_a_redriven_letter_reaches_the_agent_that_failed_and_nobody_else() -> None:
    """Whoever redrives the letters of a CRM's agent would have a bot answer what it had given up."""
    store = MemoryStore()
    broken, bot = Beside(entry("raises"), store), handler_of(store, handlers.AlwaysSorry)
    event = record(incoming_text("hi"))
    bot.pipe(event)
    broken.pipe(event)
    letter = parse_dead_letter(TestRecord.of(broken.dead_letters[0]))
    assert isinstance(letter, DeadLetter)
    again = TestRecord.of(letter.redriven(1_000_000_000_000))
    bots = len(bot.published)
    bot.pipe(again)
    assert len(bot.published) == bots, "the handler would fail and apologise again"
    assert Beside(entry("counts"), store).pipe(again) == []
    broken.pipe(again)
    assert len(broken.dead_letters) == 2, "the one that failed tries it again"


def test_only_the_tenants_and_kinds_that_an_agent_reads_are_decoded() -> None:
    """An agent for one tenant would pay for the traffic of all, and fail for what another one wrote."""
    counter = Beside(entry("counts", tenants=("globex",)), MemoryStore())
    acme, status = record(incoming_text("hi")), record(status_event("read"))
    broken = TestRecord(b"no event", acme.key, acme.headers, EVENTS)
    other_kind = TestRecord(b"no event", status.key, ((headers.TENANT, b"globex"), *status.headers[1:]), EVENTS)
    counter.pipe(broken, other_kind, record(incoming_text("hi", provider="wasender")))
    assert counter.dead_letters == []
    assert (counter.rows(), len(counter.rows("globex"))) == ({}, 1)


def test_what_an_agent_does_not_read_waits_for_nothing() -> None:
    """A status behind a slow message would hold the offsets, and be parked with it."""
    what = entry("counts")
    found = load_agent(what)
    assert isinstance(found, EventHandler)
    reader = AgentReader(AgentRunner(what, found, settings(), KNOWN, MemoryStore()))
    message, status = record(incoming_text("hi")), record(status_event("read"))
    keys = [fair_key(reader.read(each)) for each in (message, status, replace(status, offset=1))]
    assert len({conversation for _, conversation in keys}) == 3
    assert [tenant for tenant, _ in keys] == ["acme", "", ""]


def test_a_broken_record_and_an_unknown_tenant_are_letters_of_an_agent_for_all() -> None:
    """They would be dropped in silence, and a redrive of the handler's letters would not reach the agent."""
    counter, event = Beside(entry("counts"), MemoryStore()), record(incoming_text("hi"))
    unknown = record(incoming_text("hi").model_copy(update={"tenant_id": "nobody"}))
    counter.pipe(TestRecord(b"no event", event.key, event.headers, EVENTS), unknown)
    assert len(counter.dead_letters) == 2


def test_a_stale_event_is_not_handled_beside_either() -> None:
    """A replayed webhook would act on the agents after all."""
    counter = Beside(entry("counts"), MemoryStore())
    counter.pipe(record(incoming_text("hi"), **{headers.STALE: "700000"}))
    assert counter.rows() == {}


def test_a_send_by_the_api_is_queued_once_and_seen_by_every_agent() -> None:
    """Each agent would send it again under an id of its own."""
    store, event = MemoryStore(), record(api_message(text="Your parcel is on its way"))
    bot, audit = handler_of(store), Beside(entry("audits"), store)
    assert len(commands(bot.pipe(event))) == 1
    assert commands(audit.pipe(event)) == []
    assert audit.rows() == {"api": {"sends": b"1"}}


def outcome(command: Command, status: OutcomeStatus = OutcomeStatus.ACCEPTED) -> TestRecord:
    made = Outcome(
        command_id=command.command_id,
        event_id=command.event_id,
        tenant_id=command.tenant_id,
        provider=command.provider,
        account=command.account,
        recipient=command.recipient,
        status=status,
        at=command.created_at,
    )
    return TestRecord.of(encode_outcome(made))


def test_outcomes_reach_an_agent_each_status_once() -> None:
    """A count of what failed would be too high, because an outcome may be published twice."""
    store = MemoryStore()
    (answer,) = commands(handler_of(store).pipe(record(incoming_text("hi", from_="15550003333"))))
    counter = Beside(entry("fates"), store)
    for status in (OutcomeStatus.ACCEPTED, OutcomeStatus.ACCEPTED, OutcomeStatus.READ):
        counter.pipe(outcome(answer, status))
    assert counter.rows() == {"15550003333": {"accepted": b"1", "read": b"1"}}


def test_what_an_agent_does_about_commands_and_outcomes_reaches_no_agent() -> None:
    """An agent that answers each command would answer its own answer, and so would two of them in turn."""
    chatty, other = (Beside(entry(name, f"{agents.__name__}.answers_everything"), MemoryStore()) for name in "ab")
    (first,) = commands(chatty.pipe(record(incoming_text("hi"))))
    on_topic = TestRecord.of(encode_command(first))
    assert on_topic.topic == COMMANDS_INTERACTIVE.name
    (second,) = commands(other.pipe(on_topic))
    assert second.command_id != first.command_id
    assert outcome(second).topic == OUTCOMES.name
    for driver in (chatty, other):
        assert driver.pipe(TestRecord.of(encode_command(second))) == []
        assert driver.pipe(outcome(second)) == []


def test_a_handlers_class_works_beside_and_its_apology_has_an_id_of_its_own() -> None:
    """A handler that runs beside another would be a stranger to its tenant, or its apology taken for the other's."""
    store, event = MemoryStore(), record(incoming_text("hi"))
    counter = Beside(entry("counter", f"{agents.__name__}.Counter"), store)
    counter.pipe(event)
    assert counter.rows() == {"all": {"messages": b"1"}}
    path = f"{agents.__name__}.Apologising"
    sorry = [commands(Beside(entry(name, path), store).pipe(event)) for name in ("sorry", "contrite")]
    assert len({command.command_id for each in sorry for command in each}) == 2


@pytest.mark.parametrize("name", ["raises", "counts"])
def test_what_was_given_up_or_done_stays_so_when_it_is_delivered_again(name: str) -> None:
    """After a crash an event would be handled behind later ones, or counted twice."""
    driver, event = Beside(entry(name), MemoryStore()), record(incoming_text("hi"))
    driver.pipe(event)
    before = driver.rows()
    driver.pipe(event)
    assert driver.rows() == before
