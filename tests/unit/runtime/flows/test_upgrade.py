"""Two versions side by side, as they are while workers are replaced one after the other.

`tests/data/wire/records-*.json` holds what each version wrote, by its own code; `records-newer.json` what one after
this may write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from aiohttp import ClientSession

from pipeline.agents.receive import receive
from pipeline.agents.send import send
from pipeline.backoff import RetryPolicy
from pipeline.errors import NewerRecord
from pipeline.messenger.command_state import CommandPhase, CommandState, decode_due, decode_state, due_key, encode_due
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.executor import CommandExecutor
from pipeline.messenger.slots import SlotBounds
from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.tenants import Account, Tenants, TenantsFile
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics import codec
from pipeline.topics.catalogue import SENT
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events import decode as decode_event
from pipeline.topics.records import header
from tests.data.wire.record_records import AT, STATES, WHO
from tests.support.pigeon import Pigeon

DATA: Final = Path(__file__).parents[3] / "data" / "wire"
FORMER: Final = ("records-0.1.0",)
READERS: Final[dict[str, Callable[[TestRecord], object]]] = {
    "commands.interactive": codec.decode_command,
    "commands.bulk": codec.decode_command,
    "commands.outcomes": codec.decode_outcome,
    "commands.receipts": codec.decode_receipt,
    "controls": codec.decode_control,
    "events.default": decode_event,
}
NEWER: Final[dict[str, Any]] = orjson.loads((DATA / "records-newer.json").read_bytes())


def _written(name: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((DATA / f"{name}.json").read_bytes())
    return found


def _record(entry: dict[str, Any]) -> TestRecord:
    headers = tuple((name, value.encode()) for name, value in entry["headers"])
    return TestRecord(entry["value"].encode(), b"cloud:1", topic=entry["topic"], headers=headers)


def _read_by_0_1_0(row: bytes) -> tuple[Any, ...]:
    """A row as the version 0.1.0 read it: a state that it knows, and at most four fields behind it."""
    state, *rest = orjson.loads(row)
    assert state in {"intent", "retry", "receipt", "closed"}
    assert 3 <= len(rest) <= 4
    return state, *rest


@pytest.mark.parametrize("version", FORMER)
def test_what_former_versions_wrote_is_read_as_it_was_meant(version: str) -> None:
    """The first worker of the new version would make dead letters of what its predecessors left on the topics."""
    written = _written(version)
    assert [decode_state(row.encode()) for row in written["rows"]] == list(STATES)
    for entry in written["records"]:
        assert READERS[entry["topic"]](_record(entry)) is not None


@pytest.mark.parametrize("state", STATES)
def test_the_workers_of_the_former_version_read_our_rows(state: CommandState) -> None:
    """While workers are replaced, partitions move back to the former version: it would fail on each of our rows."""
    assert _read_by_0_1_0(state.encode())[:4] == state[:4]


@pytest.mark.parametrize("row", NEWER["readable"]["rows"])
def test_a_newer_field_is_no_hindrance_and_is_written_back(row: str) -> None:
    """A worker that is not replaced yet would raise TypeError, or drop what its successor needs."""
    state = decode_state(row.encode())
    assert state is not None
    assert state.encode() == row.encode()
    assert orjson.loads(state._replace(phase=CommandPhase.RETRY).encode())[5:] == orjson.loads(row)[5:]


@pytest.mark.parametrize("entry", NEWER["readable"]["records"])
def test_a_newer_record_that_says_nothing_else_is_read(entry: dict[str, Any]) -> None:
    """Every field that a version adds would stop the workers of the one before it."""
    assert READERS[entry["topic"]](_record(entry)) is not None


@pytest.mark.parametrize("row", NEWER["waiting"]["rows"])
def test_a_row_for_a_newer_version_waits(row: str) -> None:
    """An older worker would act on what it misreads, or make a dead letter of what its successor can do."""
    with pytest.raises(NewerRecord):
        decode_state(row.encode())


@pytest.mark.parametrize("entry", NEWER["waiting"]["records"])
def test_a_record_for_a_newer_version_waits(entry: dict[str, Any]) -> None:
    """An older worker would act on what it misreads, or make a dead letter of what its successor can do."""
    with pytest.raises(NewerRecord):
        READERS[entry["topic"]](_record(entry))


class Provider(Pigeon):
    """Takes every command, whatever its kind."""

    def __init__(self) -> None:
        self.calls: list[CommandKind] = []

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> SendAttempt:
        self.calls.append(command.kind)
        return SendAttempt(AttemptStatus.ACCEPTED, "wamid.1")


def _messenger(provider: Provider, retries: RetryPolicy | None = None, window: float = 60) -> TopologyTestDriver:
    account = {"provider": "cloud", "id": "1", "token": "t"}
    tenants = Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme", "accounts": [account]}]}))

    async def dispatcher() -> Dispatcher:
        made = Dispatcher({"cloud": provider}, tenants, SlotBounds(1, 1, 1))
        await made.close()  # the provider of these tests calls nobody
        return made

    that_day = (AT + timedelta(hours=13)).timestamp()  # the rows are of its twelfth hour
    executor = CommandExecutor(asyncio.run(dispatcher()), window, now=lambda: that_day)
    return TopologyTestDriver(send(executor), tables=[SENT], retries=retries)


def _newer_command() -> TestRecord:
    return _record(NEWER["readable"]["records"][0])


OLD_ROWS: Final = {
    "closed": ('["closed",1767268800.25,0,"wamid.9"]', [], 0),
    "receipt": ('["receipt",1767268800.25,0,"wamid.9"]', ["accepted"], 0),
    "retry": ('["retry",1767268800.25,2,""]', ["accepted"], 1),
    "intent": ('["intent",1767268800.25,0,"",0]', ["accepted"], 1),
}
"""Rows by their phase, as bytes that former versions wrote; the outcomes that follow, and the calls of the provider."""


@pytest.mark.parametrize("phase", OLD_ROWS)
def test_the_executor_goes_on_from_the_rows_of_a_former_version(phase: str) -> None:
    """A messenger of the new version would send again what its predecessor sent, or never what it had to repeat."""
    row, statuses, calls = OLD_ROWS[phase]
    provider = Provider()
    driver = _messenger(provider, window=0.0)
    driver.rows(SENT)[b"cmd-3"] = row.encode()
    command = Command(command_id="cmd-3", kind=CommandKind.TEXT, body={"text": "hi"}, created_at=AT, **WHO)
    outcomes = driver.pipe(TestRecord.of(codec.encode_command(command)))
    assert [codec.decode_outcome(TestRecord.of(each)).status for each in outcomes] == statuses
    assert len(provider.calls) == calls
    state = decode_state(driver.rows(SENT)[b"cmd-3"])
    assert state is not None
    assert state.phase is CommandPhase.CLOSED


def test_due_times_of_a_former_version_are_kept() -> None:
    """A paused account would be throttled again because the new version forgot how long the provider asked to wait."""
    keys = (due_key("cmd-1"), due_key("cloud:106540352242922"))
    assert keys == ("due:cmd-1", "due:cloud:106540352242922")
    assert decode_due(b"1767268800.25") == 1767268800.25
    assert encode_due(1767268800.25) == b"1767268800.25"


@pytest.fixture
def _upgraded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is of the version that knows the new kind."""
    with monkeypatch.context() as patch:
        patch.setattr(CommandKind, "known", True)
        yield


def test_a_command_of_a_new_kind_is_carried_out_by_the_worker_that_knows_it(_upgraded: None) -> None:
    """Nothing of a new kind could be sent before the last worker is replaced."""
    provider = Provider()
    (outcome,) = _messenger(provider).pipe(_newer_command())
    assert codec.decode_outcome(TestRecord.of(outcome)).status == "accepted"
    assert provider.calls == ["hologram"]


def test_an_older_worker_finds_it_done() -> None:
    """A partition that moves back to an older worker would stand still behind what is done already."""
    provider = Provider()
    older = _messenger(provider)
    older.rows(SENT)[b"cmd-1"] = CommandState(CommandPhase.CLOSED, 1.0, message_id="wamid.1").encode()
    assert older.pipe(_newer_command()) == []
    assert not provider.calls


def test_what_no_worker_knows_in_time_is_a_dead_letter_that_says_so() -> None:
    """A kind that nobody knows would hold its conversation up for ever, or vanish without a reason."""
    provider = Provider()
    (letter,) = _messenger(provider, RetryPolicy(upgrade_wait=60)).pipe(_newer_command())
    assert (letter.topic, header(letter.headers, "error-type")) == ("dead-letters.send", "NewerRecord")
    assert "upgrade this worker" in (header(letter.headers, "error-message") or "")
    assert header(letter.headers, "attempts") == "12", "one every five seconds"
    assert not provider.calls


def test_a_receipt_about_a_newer_row_waits_too() -> None:
    """An older worker would write its own form over a row that it can't read."""
    older = TopologyTestDriver(receive(), tables=[SENT], retries=RetryPolicy(upgrade_wait=10))
    row = NEWER["waiting"]["rows"][0].encode()
    older.rows(SENT)[b"cmd-1"] = row
    (letter,) = older.pipe(_record(NEWER["readable"]["records"][2]))
    assert header(letter.headers, "error-type") == "NewerRecord"
    assert older.rows(SENT)[b"cmd-1"] == row
