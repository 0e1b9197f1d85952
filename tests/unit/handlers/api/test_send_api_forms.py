"""Forms that are broken, hostile or odd: one clear line, never a 5xx, and nothing published."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingress.send_form import MAX_FIELD_BYTES, MAX_PARTS
from pipeline.topics.uploads import StoredUpload
from tests.support.send_api import JPEG, USER, Caller, api
from tests.support.waiting import until

IMAGE: Final = "media/send-image"
FORM: Final = "multipart/form-data; boundary=edge"


def part(name: str | None, content: bytes, *headers: str, filename: str | None = None) -> bytes:
    named = "" if name is None else f'; name="{name}"'
    named += "" if filename is None else f'; filename="{filename}"'
    lines = [f"Content-Disposition: form-data{named}", *headers]
    return b"--edge\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


FILE: Final = part("media_source", JPEG.content, "Content-Type: image/jpeg", filename="a.jpg")
WHOM: Final = part("recipient", USER.encode())
END: Final = b"--edge--\r\n"
GOOD: Final = WHOM + part("caption", "Grüße".encode()) + FILE + END


def run(test: Callable[[Caller], Awaitable[None]]) -> None:
    async def main() -> None:
        async with api() as caller:
            await test(caller)

    asyncio.run(main())


def test_the_good_form_is_good() -> None:
    """All the others would be refused for something else."""

    async def test(caller: Caller) -> None:
        assert (await caller.post_form(IMAGE, GOOD, Content_Type=FORM))[0] == 200
        assert orjson.loads(caller.publisher.records[0].value)["request_payload"]["caption"] == "Grüße"

    run(test)


BROKEN: Final = {
    "nothing": (b"", "whole"),
    "no boundary": (b"hello", "whole"),
    "another boundary": (GOOD.replace(b"--edge", b"--wedge"), "whole"),
    "only the end": (END, "no file"),
    "no end": (WHOM + FILE, "whole"),
    "cut in the file": (WHOM + FILE[:-12], "whole"),
    "cut in a head": (WHOM + b"--edge\r\nContent-Dispo", "whole"),
    "a head without a colon": (b"--edge\r\nnonsense\r\n\r\nx\r\n" + END, "whole"),
    "a head of a megabyte": (part("recipient", b"", "X: " + "x" * 1_000_000) + FILE + END, "whole"),
    "a thousand heads": (part("recipient", b"", *(f"X-{i}: x" for i in range(1000))) + FILE + END, "whole"),
    "no name": (part(None, b"x") + FILE + END, "no name"),
    "an empty name": (part("", b"x") + FILE + END, "no name"),
    "a long name": (part("x" * 1000, b"x") + FILE + END, "no name"),
    "a name with a line break": (part("a%0Ab", b"x") + FILE + END, "no name"),
    "a field twice": (WHOM + WHOM + FILE + END, "twice"),
    "two files": (WHOM + FILE + FILE + END, "twice"),
    "no file": (WHOM + END, "no file"),
    "a file without a name": (WHOM + part("media_source", b"https://x.example/a.jpg") + END, "no file"),
    "another field as a file": (part("recipient", b"1", filename="a.txt") + FILE + END, "only media_source"),
    "many parts": (b"".join(part(f"x{i}", b"x") for i in range(MAX_PARTS + 1)) + FILE + END, f"{MAX_PARTS} parts"),
    "a form in a form": (
        part("recipient", b"--in\r\n\r\nx\r\n--in--\r\n", "Content-Type: multipart/mixed; boundary=in") + FILE + END,
        "form itself",
    ),
    "a form in a form without a boundary": (
        part("recipient", b"x", "Content-Type: multipart/mixed") + FILE + END,
        "whole",
    ),
    "base64": (
        WHOM + part("media_source", b"AAAA", "Content-Transfer-Encoding: base64", filename="a.jpg") + END,
        "transfer encoding",
    ),
    "no UTF-8": (part("recipient", b"\xff\xfe") + FILE + END, "UTF-8"),
    "a file name of a kilobyte": (WHOM + part("media_source", b"x", filename="x" * 1000) + END, "name"),
    "a file name with a bell": (WHOM + part("media_source", b"x", filename="a\x07.jpg") + END, ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_form_is_one_clear_line(name: str) -> None:
    """A caller would read of an internal error, or hear 200 for a part of what it has sent."""
    body, reason = BROKEN[name]

    async def test(caller: Caller) -> None:
        status, answer = await caller.post_form(IMAGE, body, Content_Type=FORM)
        assert (status, answer["success"]) == (400, False)
        assert reason in answer["error"]
        assert "\n" not in answer["error"] and len(answer["error"]) < 300
        assert caller.publisher.records == []
        assert caller.admission._reading == 0

    run(test)


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "x" * 1000],
)
def test_a_boundary_that_is_none_is_400(content_type: str) -> None:
    """The form would be searched for a mark that is not there."""

    async def test(caller: Caller) -> None:
        status, answer = await caller.post_form(IMAGE, GOOD, Content_Type=content_type)
        assert (status, answer["success"]) == (400, False)

    run(test)


@pytest.mark.parametrize("content_type", ["multipart/mixed; boundary=edge", "image/jpeg", "application/octet-stream"])
def test_a_body_that_is_no_form_is_415(content_type: str) -> None:
    """A file would be taken for JSON."""

    async def test(caller: Caller) -> None:
        assert (await caller.post_form(IMAGE, GOOD, Content_Type=content_type))[0] == 415

    run(test)


def test_fields_are_no_way_to_send_megabytes() -> None:
    """One caller would fill the topics, which hold the fields."""

    async def test(caller: Caller) -> None:
        for size, status in ((70_000, 422), (MAX_FIELD_BYTES + 1, 413)):
            body = WHOM + part("caption", b"x" * size) + FILE + END
            found, answer = await caller.post_form(IMAGE, body, Content_Type=FORM)
            assert (found, answer["success"]) == (status, False)
        assert caller.publisher.records == []

    run(test)


@pytest.mark.parametrize("filling", [b"x" * 65_536, b"x" * 1000 + b"\r\n"])
def test_a_body_without_a_length_ends_at_its_limit(filling: bytes) -> None:
    """A caller that sends for ever would be read for ever: no length says how much is to come."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += len(filling)
            yield filling

    async def test(caller: Caller) -> None:
        status, _ = await caller.post_form(IMAGE, endless(), Content_Type=FORM)
        assert status in (400, 413), "no boundary comes"
        assert not (caller.publisher.records or caller.pieces.records)

    run(test)
    assert sent < 30_000_000


def test_a_caller_that_hangs_up_leaves_nothing() -> None:
    """Half a film would be sent, or hold its memory for ever."""

    async def test(caller: Caller) -> None:
        server = caller.client.server
        reader, writer = await asyncio.open_connection(server.host, server.port)
        head = (
            f"POST /api/whatsapp/{IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer acme-new\r\n"
            f"Content-Type: {FORM}\r\nContent-Length: {len(GOOD)}\r\n\r\n"
        )
        writer.write(head.encode() + GOOD[:-20])
        await writer.drain()
        await until(lambda: caller.admission._reading > 0)
        writer.close()
        await until(lambda: caller.admission._reading == caller.admission._open == 0)
        assert caller.publisher.records == []
        assert (await caller.post_form(IMAGE, GOOD, Content_Type=FORM))[0] == 200
        assert reader is not None

    run(test)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[asyncio.Runner, Caller]]:
    """One ingress for many examples."""
    with asyncio.Runner() as runner:
        context = api()
        caller = runner.run(context.__aenter__())
        yield runner, caller
        runner.run(context.__aexit__(None, None, None))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good form with a few of its bytes cut out, doubled or replaced."""
    body = GOOD
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 60)))
        tokens = [b"", b"\r\n", b"--edge", b"--edge--", b"\0", b'"', b"\xff", body[start:end] * 2]
        body = body[:start] + draw(st.sampled_from(tokens) | st.binary(max_size=8)) + body[end:]
    return body


@given(body=mutated())
def test_whatever_is_posted_is_whole_or_refused(server: tuple[asyncio.Runner, Caller], body: bytes) -> None:
    """Somebody would get a picture that its sender did not send."""
    runner, caller = server
    caller.publisher.records.clear()
    status, answer = runner.run(caller.post_form(IMAGE, body, Content_Type=FORM))
    if status != 200:
        assert status in (400, 413, 422)
        assert answer["error"] and "\n" not in answer["error"] and len(answer["error"]) < 500
        assert caller.publisher.records == []
        return
    (record,) = caller.publisher.records
    upload = StoredUpload.model_validate(orjson.loads(record.value)["upload"])
    content = runner.run(caller.pieces.read(upload))
    assert content in body
    assert hashlib.sha256(content).hexdigest() == upload.sha256
