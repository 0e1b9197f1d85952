"""Files of commands: put together from their pieces, held in bounded memory, uploaded before the call is permitted."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from pipeline.errors import CallWithheld, InvalidRecord, Unavailable
from pipeline.handlers.media.gateway import Upload, Uploaded
from pipeline.messenger import uploads
from pipeline.messenger.connections import WriteGuard, guarded_by, require_write_guard
from pipeline.messenger.uploads import ByteBudget, UploadDelivery
from pipeline.providers import CLOUD
from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.tenants import Account
from pipeline.testing import TestRecord
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.records import Record
from pipeline.topics.uploads import PIECE, PIECE_BYTES, Assembly, StoredUpload
from pipeline.uploads.writer import FileWriter, Position

ACCOUNT = Account(provider="cloud", id="106", token=SecretStr("t"))


def stored(content: bytes, **more: Any) -> StoredUpload:
    known = {"id": "upload-1", "partition": 0, "first": 0, "last": 9, "size": len(content)}
    named = {"sha256": hashlib.sha256(content).hexdigest(), "mime_type": "image/jpeg", "filename": "a.jpg"}
    return StoredUpload.model_validate(known | named | more)


def piece(index: int, content: bytes, key: str = "upload-1") -> TestRecord:
    return TestRecord.of(Record("uploads", key.encode(), content, [(PIECE, str(index).encode())]))


def assembled(upload: StoredUpload, records: Sequence[TestRecord]) -> bytes:
    file = Assembly(upload)
    for record in records:
        file.add(record)
    return file.finish()


def test_pieces_of_others_and_repetitions_are_passed_over() -> None:
    """Two uploads at once, or a retry of the producer, would mix one picture with another."""
    records = [
        piece(0, b"a"),
        piece(0, b"x", "upload-2"),
        piece(0, b"a"),
        piece(1, b"b"),
        piece(1, b"b"),
        piece(2, b"c"),
    ]
    assert assembled(stored(b"abc"), records) == b"abc"


@pytest.mark.parametrize(
    "records",
    [[], [piece(0, b"a")], [piece(1, b"b"), piece(2, b"c")], [piece(0, b"a"), piece(2, b"c")], [piece(0, b"abd")]],
)
def test_a_file_that_is_not_the_one_that_was_stored_is_none(records: list[TestRecord]) -> None:
    """A topic that was made anew, or trimmed, would send somebody else's file, or a part of it."""
    with pytest.raises(InvalidRecord, match="send it again"):
        assembled(stored(b"abc"), records)


@pytest.mark.parametrize("at", [Position(0, -1), Position(1, 1)])
def test_a_piece_whose_place_is_not_known_ends_the_upload(at: Position) -> None:
    """The send would be accepted, and its file never be found."""

    class Broker:
        calls = 0

        async def publish(self, record: Record) -> Position:
            self.calls += 1
            return Position(0, 0) if self.calls == 1 else at

    async def main() -> None:
        writer = FileWriter(Broker())
        await writer.write(bytes(2 * PIECE_BYTES))
        with pytest.raises(Unavailable):
            await writer.finish()

    asyncio.run(main())


def test_files_get_memory_in_turn_and_a_large_one_gets_it_alone() -> None:
    """Many small pictures would keep a film waiting for ever, or a film larger than the memory would never be sent."""

    async def main() -> None:
        budget, order = ByteBudget(10), list[str]()

        async def hold(name: str, size: int) -> None:
            async with budget.held(size):
                order.append(name)
                await asyncio.sleep(0)

        async with AsyncExitStack() as first:
            await first.enter_async_context(budget.held(6))
            await first.enter_async_context(budget.held(4))
            waiting = [asyncio.ensure_future(hold(name, size)) for name, size in (("film", 30), ("a", 1), ("b", 1))]
            await asyncio.sleep(0)
            assert order == []
        await asyncio.gather(*waiting)
        assert order == ["film", "a", "b"]

    asyncio.run(main())


def test_a_file_without_memory_gives_its_connection_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large files of one account would take the connection slots of all others."""
    monkeypatch.setattr(uploads, "HOLD_TIMEOUT", 0)

    async def main() -> None:
        budget = ByteBudget(10)
        async with budget.held(10):
            with pytest.raises(CallWithheld):
                async with budget.held(1):
                    raise AssertionError("held")
        async with budget.held(10):
            pass

    asyncio.run(main())


class Meta:
    """Meta's part: takes an upload slowly, then a message if its guard allows it."""

    name, kinds = CLOUD.name, CLOUD.kinds

    def __init__(self, guard_ends: asyncio.Event) -> None:
        self.uploads = 0
        self.sent: list[dict[str, Any]] = []
        self._guard_ends = guard_ends

    async def upload_media(self, upload: Upload, account: Account, session: ClientSession) -> Uploaded:
        require_write_guard()
        self.uploads += 1
        self._guard_ends.set()
        return Uploaded({"id": f"media-{self.uploads}"}, 86_400)

    async def media_info(self, media_id: str, account: Account, session: ClientSession) -> Any:
        raise AssertionError("asked")

    open_media = delete_media = media_info

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> SendAttempt:
        require_write_guard()
        self.sent.append(command.body)
        return SendAttempt(AttemptStatus.ACCEPTED, "wamid.1")


def test_an_upload_that_outlasts_its_permission_leaves_the_command_to_the_next_try() -> None:
    """A large file would be uploaded again and again, or its command be in doubt though nothing was sent."""
    content = b"a film"
    command = Command(
        command_id="cmd-1",
        tenant_id="acme",
        provider="cloud",
        account="106",
        recipient="15550001111",
        kind=CommandKind.IMAGE,
        body={"media": stored(content).medium(), "caption": "Hi"},
        created_at=datetime.now(UTC),
    )

    async def read(_: StoredUpload) -> bytes:
        return content

    async def main() -> None:
        over = asyncio.Event()
        meta, delivery = Meta(over), UploadDelivery(read)
        session: Any = None
        provider: Any = meta
        guard = WriteGuard(lambda: not over.is_set())
        with guarded_by(guard), pytest.raises(CallWithheld):
            await delivery.deliver(provider, command, ACCOUNT, session)
        assert (meta.uploads, meta.sent, guard.was_written) == (1, [], False)
        again = WriteGuard()
        with guarded_by(again):
            attempt = await delivery.deliver(provider, command, ACCOUNT, session)
        assert (attempt.status, meta.uploads, again.was_written) == (AttemptStatus.ACCEPTED, 1, True)
        media = {"id": "media-1", "mime_type": "image/jpeg", "filename": "a.jpg"}
        assert meta.sent == [{"media": media, "caption": "Hi"}]

    asyncio.run(main())
