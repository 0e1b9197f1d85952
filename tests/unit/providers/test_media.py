"""Media, against the sandbox over HTTP: uploaded once, looked up, downloaded, deleted, and every failure a result."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import ClientSession, web

from pipeline.errors import NoActiveEvent, Unsendable
from pipeline.handlers import IMessenger, MediaHandler
from pipeline.handlers.context import activate
from pipeline.handlers.media.handler import MEDIA
from pipeline.handlers.media.library import FOLDER, INLINE, MARGIN, MediaLibrary
from pipeline.handlers.media.results import MediaDownloadResult
from pipeline.handlers.media.sources import Source
from pipeline.handlers.messenger import MESSENGER
from pipeline.handlers.services import Services
from pipeline.handlers.unit_of_work import UnitOfWork
from pipeline.providers import PROVIDERS
from pipeline.providers.cloud.media import UPLOAD_LIFETIME
from pipeline.providers.media import AccountMedia
from pipeline.sandbox.config import SAMPLE_ACCOUNTS, SandboxConfig
from pipeline.sandbox.server import served
from pipeline.state import MemoryStore
from pipeline.tenants import Tenants, TenantsFile
from pipeline.topics.commands import Command
from tests.support.handler_events import ACCOUNT, USER, text

JPEG = b"\xff\xd8\xff\xe0 a picture"
OTHER = "106540352242999"


class Here(NamedTuple):
    """A handler's surroundings."""

    media: MediaHandler
    messenger: IMessenger
    store: MemoryStore
    unit: UnitOfWork
    url: str

    def commands(self) -> list[Command]:
        return self.unit.commands


def tenants(url: str, account: str = ACCOUNT, token: str = "sandbox-token") -> Tenants:
    made = {"provider": "cloud", "id": account, "token": token, "base_url": url}
    return Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme", "accounts": [made]}]}))


def within(
    hook: Callable[[Here], Awaitable[Any]],
    *,
    token: str = "sandbox-token",
    url: str | None = None,
    folder: Path = FOLDER,
) -> Any:
    """What `hook` gives, run as a handler whose account is the sandbox's, or is at another `url`."""

    async def run() -> Any:
        second = replace(SAMPLE_ACCOUNTS[0], id=OTHER, token="other-token")
        async with served(SandboxConfig(port=0, accounts=(*SAMPLE_ACCOUNTS, second))) as sandbox:
            known, store, event = tenants(url or sandbox, token=token), MemoryStore(), text()
            media = AccountMedia(PROVIDERS, known, (0.001,), (ip_network("127.0.0.0/8"),))
            unit = UnitOfWork(store, event.tenant_id, event.event_id)
            try:
                with activate(event, unit, Services(MediaLibrary(store, media, folder), {})):
                    return await hook(Here(MEDIA, MESSENGER, store, unit, sandbox))
            finally:
                await media.close()

    return asyncio.run(run())


def content(result: MediaDownloadResult) -> bytes | None:
    """What is in the file that a download was written to; None where it is gone."""
    path = Path(result.file_path or "")
    return path.read_bytes() if path.exists() else None


async def stored(here: Here) -> list[dict[str, Any]]:
    """What the sandbox has been given."""
    async with ClientSession() as session, session.get(f"{here.url}/_sandbox/media") as response:
        entries: list[dict[str, Any]] = await response.json()
        return entries


def test_a_file_is_uploaded_once_for_all_its_sends(tmp_path: Path) -> None:
    """A campaign with a picture would upload it a thousand times, and be throttled for it."""
    path = tmp_path / "picture.jpg"
    path.write_bytes(JPEG)

    async def hook(here: Here) -> None:
        sources: list[Source] = [path, str(path), JPEG, io.BytesIO(JPEG)]
        results = await asyncio.gather(*(here.messenger.send_image(each, USER) for each in sources))
        assert [each.error for each in results] == [None] * 4
        (entry,) = await stored(here)
        assert (entry["mime_type"], entry["size"]) == ("image/jpeg", len(JPEG))
        assert entry["sha256"] == hashlib.sha256(JPEG).hexdigest()
        assert [each.body for each in here.commands()] == [{"media": {"id": entry["media_id"]}}] * 4

    within(hook, folder=tmp_path)


def test_a_string_names_a_file_below_the_folder_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who writes a path would be sent any file of the worker: its secrets, another tenant's pictures."""
    folder, secret = tmp_path / "media", tmp_path / "secret.pdf"
    (folder / "deep").mkdir(parents=True)
    for path in (secret, folder / "deep" / "ours.pdf", tmp_path / "media-of-others.pdf"):
        path.write_bytes(b"%PDF-1.7 " + path.name.encode())
    (folder / "link.pdf").symlink_to(secret)
    monkeypatch.chdir(tmp_path)
    outside = [
        str(secret),
        "secret.pdf",
        "media/../secret.pdf",
        f"{folder}/deep/../../secret.pdf",
        str(folder / "link.pdf"),
        "media-of-others.pdf",
        "/etc/passwd",
        "../../../../../../etc/hosts",
        "file:///etc/passwd",
        "~/x.pdf",
        "a\0b.pdf",
    ]

    async def hook(here: Here) -> None:
        for name in outside:
            for result in (
                await here.messenger.send_document(name, USER),
                await here.media.upload_media(name, "application/pdf"),
            ):
                assert (result.success, result.error_code) == (False, "FILE_NOT_FOUND"), name
                assert "PIPELINE_MEDIA_DIR" in (result.error or "")
        assert await stored(here) == []
        for name in (str(folder / "deep" / "ours.pdf"), "media/deep/ours.pdf", "media/deep/../deep/ours.pdf"):
            assert (await here.messenger.send_document(name, USER)).success
        assert (await here.messenger.send_document(secret, USER)).success, "a Path is the handler's own"

    within(hook, folder=Path("media"))


def test_a_file_as_large_as_meta_takes_is_uploaded() -> None:
    """A picture of two megabytes would be refused here, and taken in production."""

    async def body(here: Here) -> None:
        done = await here.media.upload_media_from_bytes(
            JPEG + bytes(5 * 1024 * 1024 - len(JPEG)), "image/jpeg", "a.jpg"
        )
        assert (done.success, done.error) == (True, None)

    within(body)


def test_an_upload_outlives_its_event_but_not_its_life() -> None:
    """A handler that runs again would upload again, or send an id that Meta has thrown away."""

    async def hook(here: Here) -> None:
        first = await here.media.upload_media_from_bytes(JPEG, "image/jpeg", "a.jpg")
        assert first.success and first.media_id and first.file_size == len(JPEG)
        (key,) = [each for each in here.store._rows if ":media:" in each and ":id:" not in each]
        assert key.startswith("{acme}:media:cloud%3A" + ACCOUNT)
        assert await here.store.ttl(key) == UPLOAD_LIFETIME - MARGIN
        assert not here.unit.rows.changes

    within(hook)


def test_links_and_ids_go_out_as_they_are() -> None:
    """What is at the provider, or public, would be downloaded and uploaded for nothing."""

    async def hook(here: Here) -> None:
        await here.messenger.send_image("https://files.example/a.jpg", USER)
        await here.messenger.send_document("1003383421387256", USER, filename="invoice.pdf")
        assert [each.body["media"] for each in here.commands()] == [
            {"link": "https://files.example/a.jpg"},
            {"id": "1003383421387256", "filename": "invoice.pdf"},
        ]
        assert await stored(here) == []

    within(hook)


def test_a_document_keeps_its_name(tmp_path: Path) -> None:
    """The user would get a file called Untitled."""
    path = tmp_path / "invoice.pdf"
    path.write_bytes(b"%PDF-1.7 invoice")

    async def hook(here: Here) -> None:
        await here.messenger.send_document(path, USER)
        assert here.commands()[0].body["media"]["filename"] == "invoice.pdf"

    within(hook)


def test_the_way_of_a_medium(tmp_path: Path) -> None:
    """A handler could not read what a user sent, or could not clean up what it had uploaded."""

    async def hook(here: Here) -> None:
        uploaded = await here.media.upload_media_from_stream(io.BytesIO(JPEG), "image/jpeg", "a.jpg")
        media_id = uploaded.media_id or ""
        info = await here.media.get_media_info(media_id)
        assert (info.mime_type, info.file_size, info.sha256) == (
            "image/jpeg",
            len(JPEG),
            hashlib.sha256(JPEG).hexdigest(),
        )
        assert (await here.media.get_media_as_bytes(media_id)).file_data == JPEG
        placed = await here.media.download_media(media_id, tmp_path / "in", sender_id="../1555")
        assert Path(placed.file_path or "") == tmp_path / "in" / f"image____1555_{media_id}.jpg"
        assert content(placed) == JPEG
        async with here.media.download_media_tempfile(media_id) as result:
            assert content(result) == JPEG
        assert content(result) is None
        assert b"".join([chunk async for chunk in here.media.stream_media(media_id, 3)]) == JPEG
        assert (await here.media.delete_media(media_id)).success
        gone = await here.media.get_media_info(media_id)
        assert (gone.success, gone.error_code) == (False, "MEDIA_INFO_FAILED")
        again = await here.media.upload_media_from_bytes(JPEG, "image/jpeg", "a.jpg")
        assert again.media_id not in (None, media_id)

    within(hook)


def test_a_url_is_fetched_and_uploaded() -> None:
    """A picture behind a URL that Meta can't reach could not be sent."""

    async def hook(here: Here) -> None:
        seen: list[str | None] = []

        async def picture(request: web.Request) -> web.Response:
            seen.append(request.headers.get("Authorization"))
            return web.Response(body=JPEG, content_type="image/jpeg")

        app = web.Application()
        app.router.add_get("/a", picture)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            assert (await here.media.upload_media_from_url(f"{url}/a")).success
            assert seen == [None]
            missing = await here.media.upload_media_from_url(f"{url}/b")
            assert (missing.success, missing.error_code) == (False, "DOWNLOAD_FAILED")
            assert (await here.media.upload_media_from_url("nonsense")).error_code == "INVALID_URL_FORMAT"
        finally:
            await runner.cleanup()
        (entry,) = await stored(here)
        assert entry["filename"] == "download.jpg"

    within(hook)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda media: media.upload_media(Path("no/such/file.jpg")), "FILE_NOT_FOUND"),
        (lambda media: media.upload_media("media/no/such/file.jpg"), "FILE_NOT_FOUND"),
        (lambda media: media.upload_media(Path("/dev")), "FILE_NOT_FOUND"),
        (lambda media: media.upload_media(Path("/dev/zero")), "FILE_NOT_FOUND"),
        (lambda media: media.upload_media_from_bytes(b"x", "image/gif", "a.gif"), "MIME_TYPE_UNSUPPORTED"),
        (lambda media: media.upload_media_from_bytes(b"", "image/png", "a.png"), "FILE_SIZE_EXCEEDED"),
        (lambda media: media.get_media_info("404"), "MEDIA_INFO_FAILED"),
        (lambda media: media.get_media_info(""), "NO_MEDIA_ID"),
        (lambda media: media.download_media("404"), "MEDIA_INFO_FAILED"),
        (lambda media: media.delete_media("404"), "DELETION_FAILED"),
        (lambda media: media.delete_media(".."), "DELETION_FAILED"),
        (lambda media: media.get_media_info("."), "MEDIA_INFO_FAILED"),
        (lambda media: media.upload_media_from_url("file:///etc/passwd"), "INVALID_URL_FORMAT"),
    ],
)
def test_a_failure_is_a_result(call: Callable[[MediaHandler], Awaitable[Any]], code: str) -> None:
    """A medium that is gone would end the handler in an exception instead of an answer to the user."""

    async def hook(here: Here) -> Any:
        return await call(here.media)

    result = within(hook)
    assert (result.success, result.error_code) == (False, code)
    assert result.error


def test_a_refused_token_is_told_without_being_shown() -> None:
    """A wrong token would be in the logs of whoever logs results."""

    async def hook(here: Here) -> Any:
        return await here.messenger.send_image(JPEG, USER)

    result = within(hook, token="wrong-token")
    assert (result.success, result.error_code) == (False, "UPLOAD_FAILED")
    assert "wrong-token" not in (result.error or "")


def test_what_passes_is_tried_again_a_few_times() -> None:
    """A provider that is away for a moment would cost the user the picture."""

    async def run() -> None:
        tries: list[str] = []

        async def busy(request: web.Request) -> web.Response:
            await request.read()
            tries.append(request.path)
            good = len(tries) % 2 == 0
            return web.json_response({"id": "1"} if good else {}, status=200 if good else 503)

        app = web.Application()
        app.router.add_post("/{path:.*}", busy)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        media = AccountMedia(PROVIDERS, tenants(f"http://127.0.0.1:{runner.addresses[0][1]}"), (0.001,))
        event = text()
        try:
            unit = UnitOfWork(MemoryStore(), event.tenant_id, event.event_id)
            with activate(event, unit, Services(MediaLibrary(MemoryStore(), media), {})):
                assert (await MEDIA.upload_media_from_bytes(JPEG, "image/jpeg", "a.jpg")).media_id == "1"
            assert len(tries) == 2
        finally:
            await media.close()
            await runner.cleanup()

    asyncio.run(run())


def test_a_provider_that_can_not_be_reached_is_a_result() -> None:
    """An outage of the provider's media would dead-letter every event that sends a picture."""

    async def hook(here: Here) -> Any:
        return await here.messenger.send_image(JPEG, USER)

    assert within(hook, url="http://127.0.0.1:1").error_code == "UPLOAD_FAILED"


def test_a_number_sees_its_own_media_only() -> None:
    """A tenant could read another's pictures by guessing ids, and no test would show it."""

    async def hook(here: Here) -> None:
        media_id = (await here.media.upload_media_from_bytes(JPEG, "image/jpeg", "a.jpg")).media_id
        headers = {"Authorization": "Bearer other-token"}
        body = {"messaging_product": "whatsapp", "to": USER, "type": "image", "image": {"id": media_id}}
        async with ClientSession(headers=headers) as session:
            for path in (f"/v23.0/{media_id}", f"/whatsapp_business/attachments/?mid={media_id}"):
                async with session.get(here.url + path) as response:
                    assert response.status == 400
            async with session.post(f"{here.url}/v23.0/{OTHER}/messages", json=body) as response:
                assert "media attachment ID" in (await response.json())["error"]["message"]

    within(hook)


def test_a_provider_without_uploads_gets_small_files_within_commands() -> None:
    """A gateway that takes base64 only could send nothing but links, or a command would be too large for Kafka."""
    event = text()

    async def run() -> None:
        unit = UnitOfWork(MemoryStore(), event.tenant_id, event.event_id)
        with activate(event, unit):
            assert (await MESSENGER.send_image(JPEG, USER)).success
            large = await MESSENGER.send_document(b"%PDF-" + bytes(INLINE), USER)
            assert (large.success, large.error_code) == (False, "FILE_SIZE_EXCEEDED")
            with pytest.raises(Unsendable, match="keeps no media"):
                _ = [chunk async for chunk in MEDIA.stream_media("1")]
        (command,) = unit.commands
        assert command.body["media"]["data"] == "/9j/4CBhIHBpY3R1cmU="
        assert command.body["media"]["mime_type"] == "image/jpeg"

    asyncio.run(run())


def test_outside_of_an_event_there_are_no_media() -> None:
    """A background job would upload with nobody's account."""
    with pytest.raises(NoActiveEvent):
        _ = MEDIA.inbox_id


def test_what_it_says_of_limits() -> None:
    """A handler that asks before it uploads would be told other limits than the upload has."""
    assert MEDIA.validate_media_type("audio/ogg; codecs=opus") and not MEDIA.validate_media_type("image/gif")
    assert MEDIA.validate_file_size(5 * 1024 * 1024, "image/png")
    assert not MEDIA.validate_file_size(5 * 1024 * 1024 + 1, "image/png")
    said = MEDIA.get_media_limits()
    assert said["max_sizes"]["document"] == 100 * 1024 * 1024
    assert said["media_persistence_days"] * 86_400 == UPLOAD_LIFETIME
