"""A file's way from an HTTP request to the provider: stored, named by an event and a command, read and delivered."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from aiohttp import ClientSession

from pipeline.agents.deduplicate import deduplicate
from pipeline.agents.parse import parse
from pipeline.agents.route import route
from pipeline.errors import CallWithheld, Unavailable
from pipeline.handlers import HandlerRunner
from pipeline.messenger.connections import WriteGuard
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.slots import SlotBounds
from pipeline.messenger.uploads import UploadDelivery
from pipeline.providers import PROVIDERS
from pipeline.providers.base import AttemptStatus
from pipeline.sandbox.config import SAMPLE_ACCOUNTS, SandboxConfig
from pipeline.sandbox.server import served
from pipeline.state import MemoryStore
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics.catalogue import SEEN
from pipeline.topics.codec import decode_command, decode_outcome, encode_command
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events import decode
from pipeline.topics.headers import VERSION
from pipeline.topics.outcomes import OutcomeStatus
from pipeline.topics.records import header
from pipeline.topics.uploads import PIECE_BYTES, StoredUpload
from tests.stage.test_send import ACCEPTED, Provider, _command, _driver
from tests.support.handler_events import settings
from tests.support.send_api import USER, Caller, File, api

PICTURE = File(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4096 + b"the end")
DOCUMENT = File(b"%PDF-1.7 an invoice", "invoice.pdf", "application/pdf")


class World(NamedTuple):
    """Everything between a caller and the sandbox."""

    caller: Caller
    dispatcher: Dispatcher
    owners: Tenants
    url: str

    async def commands(self) -> list[Command]:
        """The commands that the published sends become, by way of the intake and a handler."""
        intake = TopologyTestDriver(parse(PROVIDERS), deduplicate(), route(self.owners), tables=[SEEN])
        intake.pipe(*map(TestRecord.of, self.caller.publisher.records))
        runner = HandlerRunner(
            settings("tests.support.handlers_for_tests.Recorder", 30.0),
            self.owners,
            MemoryStore(),
            capabilities={name: provider.kinds for name, provider in PROVIDERS.items()},
        )
        events = [decode(TestRecord.of(record)) for record in intake.published]
        records = [encode_command(command) for event in events for command in await runner.run(event)]
        assert [header(record.headers, VERSION) for record in records] == ["2"] * len(records)
        return [decode_command(TestRecord.of(record)) for record in records]

    async def sandbox(self, name: str) -> list[dict[str, Any]]:
        async with ClientSession() as session, session.get(f"{self.url}/_sandbox/{name}") as response:
            found: list[dict[str, Any]] = await response.json()
            return found


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with served(SandboxConfig(port=0, statuses=())) as url:
        accounts = [
            {"provider": each.provider, "id": each.id, "token": each.token, "base_url": url}
            | ({"business_id": each.business_id} if each.business_id else {})
            for each in SAMPLE_ACCOUNTS
        ]
        tenant = {"id": "acme", "api_keys": ["acme-new"], "accounts": accounts}
        owners = Tenants(TenantsFile.model_validate({"tenants": [tenant]}))
        async with api(owners) as caller:
            delivery = UploadDelivery(caller.pieces.read)
            dispatcher = Dispatcher(PROVIDERS, owners, SlotBounds(9, 9, 9), delivery.deliver)
            try:
                yield World(caller, dispatcher, owners, url)
            finally:
                await dispatcher.close()


def run(test: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        async with world() as made:
            await test(made)

    asyncio.run(main())


async def _delivered(here: World, provider: str, message: dict[str, Any], file: File) -> bytes | str:
    """The bytes that the provider got, or their hash where it keeps that only."""
    body = message["body"]
    if provider == "cloud":
        (stored,) = await here.sandbox("media")
        assert body["id"] == stored["media_id"]
        assert (stored["mime_type"], stored["filename"]) == (file.mime_type, file.name)
        return str(stored["sha256"])
    if provider == "wasender":
        (stored,) = await here.sandbox("media")
        assert stored["media_id"] in str(body)
        return str(stored["sha256"])
    return base64.b64decode(body["file"]["data"] if provider == "waha" else body["file[data]"])


@pytest.mark.parametrize("account", SAMPLE_ACCOUNTS, ids=lambda account: account.provider)
@pytest.mark.parametrize(("path", "file"), [("media/send-image", PICTURE), ("media/send-document", DOCUMENT)])
def test_a_file_reaches_each_provider_as_it_was_sent_and_once(account: Any, path: str, file: File) -> None:
    """A customer would get a torn picture, two of them, or none from a gateway that takes no uploads."""

    async def test(here: World) -> None:
        inbox = {"X_Inbox_ID": f"{account.provider}:{account.id}", "Idempotency_Key": "order 17"}
        answers = [await here.caller.upload(path, {"recipient": USER, "caption": "Hi"}, file, **inbox) for _ in "123"]
        assert [status for status, _ in answers] == [200] * 3
        (command,) = await here.commands()
        assert command.command_id == answers[0][1]["message_id"]
        assert len(encode_command(command).value) < 2000, "the file is not in the record"
        attempt = await here.dispatcher.attempt(command)
        assert (attempt.status, attempt.error_message) == (AttemptStatus.ACCEPTED, None)
        (message,) = await here.sandbox("sent")
        assert message["to"].startswith(USER)
        got = await _delivered(here, account.provider, message, file)
        assert got in (file.content, hashlib.sha256(file.content).hexdigest())

    run(test)


def test_a_campaigns_file_is_uploaded_once_for_all_its_sends() -> None:
    """A thousand recipients would be a thousand uploads of one picture, and the number be throttled for them."""

    async def test(here: World) -> None:
        for number in range(5):
            whom = {"recipient": f"{USER}{number}"}
            await here.caller.upload("media/send-image", whom, PICTURE, X_Inbox_ID=f"cloud:{SAMPLE_ACCOUNTS[0].id}")
        commands = await here.commands()
        await asyncio.gather(*(here.dispatcher.attempt(command) for command in commands))
        assert (len(await here.sandbox("sent")), len(await here.sandbox("media"))) == (5, 1)

    run(test)


def test_a_file_that_can_not_be_read_now_is_no_call() -> None:
    """A command whose intent is recorded would be in doubt, and be given up, though nothing was sent."""

    async def test(here: World) -> None:
        inbox = f"cloud:{SAMPLE_ACCOUNTS[0].id}"
        await here.caller.upload("media/send-image", {"recipient": USER}, PICTURE, X_Inbox_ID=inbox)
        (command,) = await here.commands()
        here.caller.pieces.away = True
        guard = WriteGuard()
        with pytest.raises(CallWithheld) as withheld:
            await here.dispatcher.attempt(command, guard)
        assert (guard.was_written, withheld.value.delay > 0) == (False, True)
        here.caller.pieces.away = False
        assert (await here.dispatcher.attempt(command, guard)).status is AttemptStatus.ACCEPTED

    run(test)


@pytest.mark.parametrize("account", SAMPLE_ACCOUNTS, ids=lambda account: account.provider)
def test_a_file_that_is_gone_or_another_one_fails_its_send(account: Any) -> None:
    """A customer would get half a picture, or somebody else's."""

    async def test(here: World) -> None:
        inbox = f"{account.provider}:{account.id}"
        await here.caller.upload("media/send-image", {"recipient": USER}, PICTURE, X_Inbox_ID=inbox)
        (command,) = await here.commands()
        assert len(PICTURE.content) > 2 * PIECE_BYTES
        del here.caller.pieces.records[1]
        attempt = await here.dispatcher.attempt(command)
        assert attempt.status is AttemptStatus.PERMANENT
        assert attempt.error_message is not None and "send it again" in attempt.error_message
        assert await here.sandbox("sent") == await here.sandbox("media") == []

    run(test)


def test_a_command_whose_file_is_away_for_a_moment_is_sent_once() -> None:
    """Its recorded intent would make it a command in doubt, which waits a minute and may never be sent."""
    provider, failures = Provider(ACCEPTED), [Unavailable("no broker"), Unavailable("no broker")]

    async def read(_: StoredUpload) -> bytes:
        if failures:
            raise failures.pop()
        return PICTURE.content

    upload = StoredUpload(
        id="u", partition=0, first=0, last=2, size=9, sha256="s", mime_type="image/jpeg", filename="a.jpg"
    )
    command = _command().model_copy(update={"kind": CommandKind.IMAGE, "body": {"media": upload.medium()}})
    driver = _driver(provider, deliver=UploadDelivery(read).deliver)
    (record,) = driver.pipe(TestRecord.of(encode_command(command)))
    assert decode_outcome(TestRecord.of(record)).status is OutcomeStatus.ACCEPTED
    assert provider.calls == [command.command_id]


def test_a_provider_that_refuses_an_upload_or_is_away_is_told_apart() -> None:
    """A picture would be retried for ever that is never taken, or fail while Meta is away for a minute."""

    async def test(here: World) -> None:
        inbox = f"cloud:{SAMPLE_ACCOUNTS[0].id}"
        await here.caller.upload("media/send-image", {"recipient": USER}, PICTURE, X_Inbox_ID=inbox)
        (command,) = await here.commands()
        wrong = command.body["media"] | {"upload": command.body["media"]["upload"] | {"mime_type": "image/bmp"}}
        refused = await here.dispatcher.attempt(command.model_copy(update={"body": {"media": wrong}}))
        assert (refused.status, refused.answered) == (AttemptStatus.PERMANENT, True)
        account = here.owners.account("cloud", command.account)
        assert account is not None
        away = Tenants(
            TenantsFile.model_validate(
                {"tenants": [{"id": "acme", "accounts": [
                    {"provider": "cloud", "id": account.id, "token": "t", "base_url": "http://127.0.0.1:1"}
                ]}]}
            )
        )  # fmt: skip
        dispatcher = Dispatcher(PROVIDERS, away, SlotBounds(1, 1, 1), UploadDelivery(here.caller.pieces.read).deliver)
        attempt = await dispatcher.attempt(command)
        await dispatcher.close()
        assert (attempt.status, attempt.answered) == (AttemptStatus.RETRYABLE, False)

    run(test)
