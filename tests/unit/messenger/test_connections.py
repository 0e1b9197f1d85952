"""Requests to providers check their guard when they have their connection, and again before the body is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from pipeline.errors import CallWithheld
from pipeline.messenger.connections import WriteGuard, guarded_by, open_session
from tests.support.waiting import HANG


class Api:
    """A provider that counts what arrives, and answers when it may."""

    def __init__(self) -> None:
        self.arrived: list[str] = []
        self.first = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def handle(self, request: web.Request) -> web.Response:
        self.arrived.append(f"{request.method} {(await request.read()).decode()}")
        self.first.set()
        await self.answers.wait()
        return web.Response(text="done")


@asynccontextmanager
async def _served(api: Api) -> AsyncIterator[tuple[str, ClientSession]]:
    app = web.Application()
    app.router.add_route("*", "/", api.handle)
    async with TestServer(app) as server, open_session(1) as session:
        yield str(server.make_url("/")), session


async def _request(session: ClientSession, url: str, guard: WriteGuard, method: str, body: bytes | None) -> str:
    with guarded_by(guard):
        async with session.request(method, url, data=body) as response:
            return await response.text()


def _run(play: Callable[[Api], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(HANG):
            await play(Api())

    asyncio.run(run())


@pytest.mark.parametrize(("method", "body"), [("POST", b"hello"), ("GET", None), ("POST", b"")])
def test_without_a_valid_guard_not_a_byte_leaves_and_the_next_request_is_well(method: str, body: bytes | None) -> None:
    """A frozen process would send a message when it goes on; or could never send anything again."""

    async def play(api: Api) -> None:
        async with _served(api) as (url, session):
            refused, given = WriteGuard(lambda: False), WriteGuard()
            with pytest.raises(CallWithheld):
                await _request(session, url, refused, method, body)
            assert not api.arrived
            assert not refused.was_written
            assert await _request(session, url, given, method, body) == "done"
            assert given.was_written

    _run(play)


def test_a_guard_that_ends_while_a_request_waits_for_its_connection_holds_it_back() -> None:
    """The wait for a connection is the longest time between the decision and the call: it would be asked too early."""

    async def play(api: Api) -> None:
        async with _served(api) as (url, session):
            api.answers.clear()
            first = asyncio.ensure_future(_request(session, url, WriteGuard(), "POST", b"first"))
            await api.first.wait()
            owned = True
            second = asyncio.ensure_future(_request(session, url, WriteGuard(lambda: owned), "POST", b"second"))
            await asyncio.sleep(0)
            owned = False
            api.answers.set()
            assert await first == "done"
            with pytest.raises(CallWithheld):
                await second
            assert api.arrived == ["POST first"]

    _run(play)


def test_the_guard_is_checked_again_before_the_body() -> None:
    """aiohttp writes in a task of its own: what froze between both would send what was asked for long before."""

    async def play(api: Api) -> None:
        asked: list[object] = []
        async with _served(api) as (url, session):

            def holds() -> bool:
                asked.append(asyncio.current_task())
                return True

            await _request(session, url, WriteGuard(holds), "POST", b"hello")
            assert len(asked) == 1
            assert api.arrived == ["POST hello"]

    _run(play)
