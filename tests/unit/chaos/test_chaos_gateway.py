"""The gateways and the raising hook of a chaos run: each does what it is to do, and leaves off when it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientConnectorError, ClientError, ClientSession, web

from chaos.gateway import Gateway, Mode
from chaos.handler import RecordingHandler
from chaos.plan import Act, Fault
from chaos.ports import free_ports
from chaos.raising import BROKEN, PLAIN, SWITCH, UNAVAILABLE, HookBroken, HookUnavailable, RaisingHandler, noted
from chaos.troubles import Troubles
from pipeline.testing import HandlerDriver, incoming_text
from tests.support.waiting import HANG, until


class Sandbox:
    """Answers with what it got."""

    def __init__(self) -> None:
        self.got: list[str] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(await request.text())
        if self.got[-1] == "silence" and request.transport is not None:
            request.transport.abort()
        return web.json_response({"got": self.got[-1], "by": request.headers.get("Authorization")}, status=201)


Post = Callable[[str], Awaitable[object]]


@asynccontextmanager
async def gateway(sandbox: Sandbox) -> AsyncIterator[tuple[Gateway, Post]]:
    app = web.Application()
    app.add_routes([web.post("/v1/messages", sandbox.take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = next(free_ports())
    made = Gateway(port, f"http://127.0.0.1:{runner.addresses[0][1]}")
    await made.start()
    async with ClientSession() as session:

        async def post(body: str) -> object:
            url, headers = f"http://127.0.0.1:{port}/v1/messages", {"Authorization": "Bearer token"}
            async with session.post(url, data=body, headers=headers) as response:
                return response.status if response.status == 503 else (response.status, await response.json())

        try:
            yield made, post
        finally:
            await made.close()
            await runner.cleanup()


def run(test: Callable[[Sandbox, Gateway, Post], Awaitable[None]]) -> None:
    async def within() -> None:
        sandbox = Sandbox()
        async with gateway(sandbox) as (made, post):
            await asyncio.wait_for(test(sandbox, made, post), HANG)

    asyncio.run(within())


def test_an_open_gateway_passes_on_what_comes_and_what_is_answered() -> None:
    """The account would never be back, and the pipeline would be blamed."""

    async def test(_: Sandbox, made: Gateway, post: Post) -> None:
        assert await post("one") == (201, {"got": "one", "by": "Bearer token"})
        await made.become(Mode.UNAVAILABLE)
        assert await post("two") == 503
        await made.become(Mode.OPEN)
        assert await post("three") == (201, {"got": "three", "by": "Bearer token"})
        assert made.refused == 1

    run(test)


def test_a_refusing_gateway_takes_no_connection_and_cuts_those_that_it_had() -> None:
    """An account would be away only for new connections, and its messenger keeps old ones."""

    async def test(sandbox: Sandbox, made: Gateway, post: Post) -> None:
        await post("one")
        await made.become(Mode.REFUSING)
        with pytest.raises(ClientError):  # the connection that it has may be cut just now
            await post("two")
        with pytest.raises(ClientConnectorError):
            await post("two")
        await made.become(Mode.OPEN)
        await post("three")
        assert sandbox.got == ["one", "three"]

    run(test)


def test_a_hanging_gateway_passes_every_second_request_on_and_answers_none_not_even_later() -> None:
    """Sends in doubt would all be of one kind: all done, or none."""

    async def test(sandbox: Sandbox, made: Gateway, post: Post) -> None:
        await made.become(Mode.HANGING)
        hanging = [asyncio.ensure_future(post(body)) for body in ("one", "two")]
        await until(lambda: made.unanswered == 2 and len(sandbox.got) == 1)
        await made.become(Mode.OPEN)
        await post("three")
        assert not any(each.done() for each in hanging)
        assert len(sandbox.got) == 2 and sandbox.got[1] == "three"
        for each in hanging:
            each.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)

    run(test)


def test_an_answer_that_the_sandbox_keeps_back_is_none_of_the_gateways() -> None:
    """The sandbox's silence would be an answer of the gateway: a send in doubt less."""

    async def test(sandbox: Sandbox, _: Gateway, post: Post) -> None:
        with pytest.raises(ClientError):
            await post("silence")
        assert set(sandbox.got) == {"silence"}

    run(test)


def test_a_trouble_is_begun_and_ended_and_its_times_are_kept(tmp_path: Path) -> None:
    """A tenant would stay away to the end, or a run would not know when it was."""

    async def test(_: Sandbox, made: Gateway, post: Post) -> None:
        parked: dict[tuple[str, str], int] = {}
        troubles = Troubles({"absent": made}, tmp_path / "raising", parked)
        await troubles.carry_out(Fault(1, Act.UNAVAILABLE, "absent"))
        await troubles.carry_out(Fault(1, Act.RAISE, "raising"))
        assert await post("one") == 503 and (tmp_path / "raising").exists()
        await troubles.carry_out(Fault(2, Act.MEND, "absent"))
        await troubles.carry_out(Fault(2, Act.MEND, "raising"))
        assert troubles.unmet("absent") == ["the app messenger parked nothing of it"]
        parked["messenger", "absent"] = 1
        await until(lambda: "absent" in troubles.ended)
        assert await post("two") != 503
        assert (tmp_path / "raising").exists(), "its worker may have been down: nobody has met it"
        for mark in (BROKEN, UNAVAILABLE):
            assert noted(tmp_path / "raising", mark)
        parked["handlers-default", "raising"] = 1
        await troubles.end_all(HANG)
        assert not (tmp_path / "raising").exists() and not noted(tmp_path / "raising", BROKEN)
        assert not troubles.unmet("raising")
        assert all(troubles.began[name] <= troubles.ended[name] for name in ("absent", "raising"))

    run(test)


def test_a_trouble_that_nobody_meets_ends_all_the_same(tmp_path: Path) -> None:
    """A run would wait for ever for what never comes, or leave a tenant away and count its messages as missing."""

    async def test(_: Sandbox, made: Gateway, post: Post) -> None:
        troubles = Troubles({"absent": made}, tmp_path / "raising", {})
        await troubles.carry_out(Fault(1, Act.UNAVAILABLE, "absent"))
        await troubles.carry_out(Fault(2, Act.MEND, "absent"))
        await troubles.end_all(0)
        assert "absent" in troubles.ended and await post("one") != 503
        assert troubles.unmet("absent")

    run(test)


def test_a_hook_raises_below_the_give_up_then_as_if_something_were_away_and_nothing_takes_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events would become dead letters, or a run would not see an effect of a hook that raised."""
    switch = tmp_path / "raising"
    monkeypatch.setenv(SWITCH, str(switch))
    driver, event = HandlerDriver(RaisingHandler()), incoming_text("0")
    switch.touch()
    for error in [HookBroken] * PLAIN + [HookUnavailable] * 3:
        with pytest.raises(error):
            driver.handle(event)
    assert not driver.texts
    assert switch.read_bytes() == BROKEN * PLAIN + UNAVAILABLE * 3
    switch.unlink()
    driver.handle(event)
    assert driver.texts == ["0"]
    assert isinstance(driver.handler, RecordingHandler)
