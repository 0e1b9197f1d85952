"""Files over the HTTP API: what is stored, what is published, and what is refused before it is."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from pipeline.handlers.media.limits import MAX_INLINE_UPLOAD, MIB, SIZES
from pipeline.ingress.send_upload import file_limit
from pipeline.ingress.send_validation import Sender
from pipeline.ingress.upload_slots import MAX_UPLOADS, TENANT_SHARE, UploadSlots
from pipeline.providers import PROVIDERS
from pipeline.testing import TestRecord
from pipeline.topics.events import APIMessageEvent, decode
from pipeline.topics.uploads import PIECE_BYTES, StoredUpload
from tests.support.send_api import JPEG, TEXT, USER, Caller, File, api, tenants
from tests.support.waiting import until

IMAGE = "media/send-image"
FIELDS = {"recipient": USER}
PDF = File(b"%PDF-1.7 an invoice", "invoice.pdf", "application/pdf")
OGG = File(b"OggS a voice", "voice.ogg", "audio/ogg; codecs=opus")
WEBP = File(b"RIFF\0\0\0\0WEBPVP8 " + bytes(16), "s.webp", "image/webp")
ANIMATED = File(b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02" + bytes(16), "s.webp", "image/webp")
MP4 = File(b"\0\0\0\x18ftypmp42 a film", "film.mp4", "video/mp4")


def run(test: Callable[[Caller], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with api(**options) as caller:
            await test(caller)

    asyncio.run(main())


def events_of(caller: Caller) -> list[APIMessageEvent]:
    """The events that were published, as `parse` makes them."""
    found = []
    for record in caller.publisher.records:
        times = {"timestamp": "2026-01-01T00:00:00Z", "received_at": "2026-01-01T00:00:00Z"}
        event = decode(TestRecord(orjson.dumps(orjson.loads(record.value) | times)))
        assert isinstance(event, APIMessageEvent)
        found.append(event)
    return found


def upload_of(caller: Caller, index: int = 0) -> StoredUpload:
    upload = events_of(caller)[index].upload
    assert upload is not None
    return upload


def large(size: int) -> File:
    """A JPEG of so many bytes, no two of its pieces the same."""
    filling = b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))
    return File((JPEG.content + filling)[:size])


def longer(file: File, size: int) -> File:
    return file._replace(content=file.content.ljust(size, b"\0"))


@pytest.mark.parametrize("size", [1, 100, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 7])
def test_a_file_is_stored_in_pieces_and_named_by_one_event(size: int) -> None:
    """Somebody would get half a picture, or the ingress would hold all of every film that arrives."""
    file = large(size)

    async def test(caller: Caller) -> None:
        status, answer = await caller.upload(IMAGE, FIELDS | {"caption": "Your parcel"}, file)
        assert (status, answer["success"], answer["queued"]) == (200, True, True)
        (event,), upload = events_of(caller), upload_of(caller)
        assert (event.message_id, event.message_type, event.path) == (answer["message_id"], "image", IMAGE)
        assert event.request_payload == {"recipient": USER, "caption": "Your parcel"}
        assert (upload.size, upload.sha256) == (size, hashlib.sha256(file.content).hexdigest())
        assert (upload.mime_type, upload.filename) == ("image/jpeg", "photo.jpg")
        assert await caller.pieces.read(upload) == file.content
        assert all(0 < len(record.value or b"") <= PIECE_BYTES for record in caller.pieces.records)

    run(test)


def test_the_fields_may_come_behind_the_file() -> None:
    """A browser that sends a form in its own order would be told that there is no recipient."""
    body = (
        b"--x\r\nContent-Disposition: form-data; name=media_source; filename=a.jpg\r\n\r\n"
        + JPEG.content
        + b"\r\n--x\r\nContent-Disposition: form-data; name=recipient\r\n\r\n"
        + USER.encode()
        + b"\r\n--x--\r\n"
    )

    async def test(caller: Caller) -> None:
        status, _ = await caller.post_form(IMAGE, body, Content_Type="multipart/form-data; boundary=x")
        assert (status, upload_of(caller).mime_type) == (200, "image/jpeg"), "the type is told by the name and bytes"

    run(test)


def test_a_field_of_a_form_has_the_type_that_it_has_in_json() -> None:
    """A voice note would be refused, because a form has texts only."""

    async def test(caller: Caller) -> None:
        fields = FIELDS | {"is_voice": "true", "expires_in": "60", "priority": "bulk"}
        assert (await caller.upload("media/send-audio", fields, OGG))[0] == 200
        (event,) = events_of(caller)
        assert event.request_payload == FIELDS | {"is_voice": True, "expires_in": 60.0, "priority": "bulk"}
        for wrong in ({"is_voice": "perhaps"}, {"expires_in": "soon"}, {"expires_in": "nan"}, {"is_sound": "true"}):
            status, answer = await caller.upload("media/send-audio", FIELDS | wrong, OGG)
            assert (status, answer["error_code"]) == (422, "VALIDATION"), wrong
        assert len(caller.publisher.records) == 1

    run(test)


def test_a_repeated_request_gets_the_same_answer_and_stores_nothing_again() -> None:
    """A caller that heard no answer would send a picture twice, or fill the disk with it."""
    file = large(2 * PIECE_BYTES)

    async def test(caller: Caller) -> None:
        answers = [await caller.upload(IMAGE, FIELDS, file, Idempotency_Key="order 17") for _ in range(3)]
        assert answers == [answers[0]] * 3
        assert answers[0][0] == 200
        assert len(caller.pieces.records) == 2
        assert len({record.value for record in caller.publisher.records}) == 1
        assert await caller.pieces.read(upload_of(caller, 2)) == file.content

    run(test)


@pytest.mark.parametrize(
    ("path", "fields", "file"),
    [
        (IMAGE, FIELDS | {"caption": "Another"}, JPEG),
        (IMAGE, {"recipient": "15550002222"}, JPEG),
        (IMAGE, FIELDS, JPEG._replace(content=JPEG.content + b"!")),
        (IMAGE, FIELDS, JPEG._replace(name="other.jpg")),
        ("media/send-document", FIELDS, PDF),
    ],
)
def test_another_send_under_the_same_key_is_409(path: str, fields: dict[str, str], file: File) -> None:
    """A shop that counts its orders anew would be told that a picture is sent, which nobody ever gets."""

    async def test(caller: Caller) -> None:
        assert (await caller.upload(IMAGE, FIELDS, JPEG, Idempotency_Key="order 17"))[0] == 200
        status, answer = await caller.upload(path, fields, file, Idempotency_Key="order 17")
        assert (status, answer["success"], answer["error_code"]) == (409, False, "KEY_REUSED")
        assert "Idempotency-Key" in answer["error"]
        assert len(caller.publisher.records) == len(caller.pieces.records) == 1

    run(test)


def test_requests_at_the_same_time_name_one_file() -> None:
    """Two answers would name one send, and the topic two files for it."""

    async def test(caller: Caller) -> None:
        caller.pieces.open.clear()
        posts = [
            asyncio.ensure_future(caller.upload(IMAGE, FIELDS, JPEG, Idempotency_Key="order 17")) for _ in range(3)
        ]
        await until(lambda: caller.pieces.waiting == 3)
        caller.pieces.open.set()
        answers = await asyncio.gather(*posts)
        assert answers == [answers[0]] * 3
        assert len({record.value for record in caller.publisher.records}) == 1

    run(test)


@pytest.mark.parametrize("away", ["pieces", "publisher"])
def test_nothing_is_half_done_while_the_broker_is_away(away: str) -> None:
    """A caller would hear 200 for a picture that is not stored, or could not send it when the broker is back."""

    async def test(caller: Caller) -> None:
        getattr(caller, away).away = True
        for key in ("order 17", "order 17"):
            status, answer = await caller.upload(IMAGE, FIELDS, JPEG, Idempotency_Key=key)
            assert (status, answer) == (503, {"error": "not taken, send it again"})
            assert int(caller.headers["Retry-After"]) > 0
        assert caller.publisher.records == []
        getattr(caller, away).away = False
        assert (await caller.upload(IMAGE, FIELDS, JPEG, Idempotency_Key="order 17"))[0] == 200
        assert await caller.pieces.read(upload_of(caller)) == JPEG.content

    run(test)


@pytest.mark.parametrize(
    ("path", "file", "status", "code"),
    [
        (IMAGE, JPEG._replace(mime_type="text/html"), 422, "MIME_TYPE_UNSUPPORTED"),
        (IMAGE, JPEG._replace(content=b"%PDF-1.7 no picture"), 422, "MIME_TYPE_UNSUPPORTED"),
        (IMAGE, File(b"anything", "x", "application/octet-stream"), 422, "MIME_TYPE_UNKNOWN"),
        (IMAGE, JPEG._replace(content=b""), 422, "FILE_SIZE_EXCEEDED"),
        (IMAGE, WEBP, 422, "MIME_TYPE_UNSUPPORTED"),
        (IMAGE, JPEG._replace(mime_type="image/" + "j" * 200), 422, "MIME_TYPE_UNSUPPORTED"),
        (IMAGE, large(5 * MIB + 1), 413, "FILE_SIZE_EXCEEDED"),
        ("media/send-document", JPEG, 422, "MIME_TYPE_UNSUPPORTED"),
        ("media/send-sticker", longer(WEBP, 100 * 1024 + 1), 413, "FILE_SIZE_EXCEEDED"),
        ("media/send-sticker", longer(ANIMATED, 500 * 1024 + 1), 413, "FILE_SIZE_EXCEEDED"),
        ("media/send-video", OGG, 422, "MIME_TYPE_UNSUPPORTED"),
    ],
)  # fmt: skip
def test_what_whatsapp_does_not_take_is_refused_with_its_reason(path: str, file: File, status: int, code: str) -> None:
    """A caller would be told 200, and read of the provider's refusal on a topic."""

    async def test(caller: Caller) -> None:
        found, answer = await caller.upload(path, FIELDS, file)
        assert (found, answer["success"], answer["error_code"]) == (status, False, code)
        assert "\n" not in answer["error"] and len(answer["error"]) < 200
        assert caller.publisher.records == []

    run(test)


@pytest.mark.parametrize(
    ("path", "file"),
    [
        (IMAGE, large(5 * MIB)),
        ("media/send-document", PDF),
        ("media/send-audio", OGG),
        ("media/send-audio", MP4._replace(mime_type="audio/mp4", name="sound.m4a")),
        ("media/send-video", MP4),
        ("media/send-sticker", longer(WEBP, 100 * 1024)),
        ("media/send-sticker", longer(ANIMATED, 500 * 1024)),
    ],
)
def test_what_whatsapp_takes_is_taken(path: str, file: File) -> None:
    """A caller could not send what the provider takes."""

    async def test(caller: Caller) -> None:
        assert (await caller.upload(path, FIELDS, file))[0] == 200
        assert await caller.pieces.read(upload_of(caller)) == file.content

    run(test)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("kind", SIZES)
def test_the_limit_is_that_of_the_kind_and_the_provider(provider: str, kind: str) -> None:
    """A gateway would get a film of 100 MB in one JSON text, which the messenger holds four times."""
    owners = tenants()
    named = {"cloud": "acme"}.get(provider, "globex")
    tenant = owners.get(named)
    assert tenant is not None
    (account,) = (each for each in tenant.accounts if each.provider == provider)
    limit = file_limit(f"media/send-{kind}", Sender(tenant, account, PROVIDERS[provider], "e", False))
    assert limit == (SIZES[kind] if provider == "cloud" else min(SIZES[kind], MAX_INLINE_UPLOAD))


def test_a_body_that_is_too_large_is_not_read() -> None:
    """Anybody with a key could have the ingress read gigabytes."""

    async def test(caller: Caller) -> None:
        status, answer = await caller.upload(IMAGE, FIELDS, large(6 * MIB))
        assert (status, answer["error_code"], caller.pieces.records) == (413, "FILE_SIZE_EXCEEDED", [])

    run(test)


def test_a_file_for_a_kind_that_the_gateway_lacks_is_refused() -> None:
    """A sticker for Wawp would be stored, and then be a dead letter."""

    async def test(caller: Caller) -> None:
        status, answer = await caller.upload("media/send-sticker", FIELDS, WEBP, "globex-key", X_Inbox_ID="wawp-1")
        assert (status, answer["error_code"]) == (422, "UNSUPPORTED")
        assert not (caller.publisher.records or caller.pieces.records)

    run(test)


@pytest.mark.parametrize("key", [None, "wrong"])
def test_without_a_key_no_file_is_read(key: str | None) -> None:
    """Strangers could fill the disk."""

    async def test(caller: Caller) -> None:
        assert (await caller.upload(IMAGE, FIELDS, JPEG, key))[0] == 401
        assert caller.pieces.records == []

    run(test)


@pytest.mark.parametrize("path", [TEXT, "templates/send-media", "interactive/send-buttons"])
def test_other_sends_take_no_form(path: str) -> None:
    """A file would be dropped without a word."""

    async def test(caller: Caller) -> None:
        assert (await caller.upload(path, FIELDS, JPEG))[0] == 415

    run(test)


def test_a_path_in_json_is_still_no_file() -> None:
    """A caller could send a file of another tenant by the name of its upload."""

    async def test(caller: Caller) -> None:
        assert (await caller.upload(IMAGE, FIELDS, JPEG))[0] == 200
        named = upload_of(caller).model_dump()
        for forged in ({"media_source": named}, {"media_source": named["id"], "upload": named}, {"upload": named}):
            assert (await caller.post(IMAGE, FIELDS | forged))[0] == 422
        assert (await caller.post(IMAGE, FIELDS | {"media_source": named["id"]}))[0] == 200
        assert events_of(caller)[1].upload is None

    run(test)


def test_an_upload_holds_no_more_than_a_piece_of_its_file() -> None:
    """A few films at once would take the memory that webhooks need."""

    async def test(caller: Caller) -> None:
        caller.pieces.open.clear()
        posts = [asyncio.ensure_future(caller.upload(IMAGE, FIELDS, large(4 * MIB))) for _ in range(4)]
        await until(lambda: caller.pieces.waiting == 4)
        assert caller.admission._reading < 4 * (PIECE_BYTES + MIB // 4)
        caller.pieces.open.set()
        assert [status for status, _ in await asyncio.gather(*posts)] == [200] * 4
        assert caller.admission._reading == caller.admission._open == 0

    run(test)


def test_a_tenant_that_uploads_much_leaves_room_for_others() -> None:
    """One shop's slow uploads would have every other shop's refused."""

    async def test(caller: Caller) -> None:
        caller.pieces.open.clear()
        share = MAX_UPLOADS // TENANT_SHARE
        posts = [asyncio.ensure_future(caller.upload(IMAGE, FIELDS, JPEG)) for _ in range(share)]
        await until(lambda: caller.pieces.waiting == share)
        status, answer = await caller.upload(IMAGE, FIELDS, JPEG)
        assert (status, answer["error_code"], caller.headers["Retry-After"]) == (429, "RATE_LIMITED", "2")
        other = asyncio.ensure_future(caller.upload(IMAGE, FIELDS, JPEG, "globex-key", X_Inbox_ID="waha-1"))
        await until(lambda: caller.pieces.waiting == share + 1)
        caller.pieces.open.set()
        assert {status for status, _ in await asyncio.gather(*posts, other)} == {200}
        assert (await caller.upload(IMAGE, FIELDS, JPEG))[0] == 200

    run(test)


def test_all_slots_are_one_limit() -> None:
    """Many tenants together would take more memory than the ingress has for uploads."""
    slots = UploadSlots(4)
    with slots.taken("a"), slots.taken("a"), slots.taken("b"):
        assert (slots.is_at_share("a"), slots.is_at_share("b"), slots.is_full) == (True, False, False)
        with slots.taken("c"):
            assert slots.is_full
    assert [slots.is_full, slots.is_at_share("a")] == [False, False]
