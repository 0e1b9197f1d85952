"""Asking workers what they hold, over HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from pipeline.errors import ConfigurationError
from pipeline.lag import workers
from pipeline.lag.workers import WorkerAnswers, ask_workers, require_url, without_password
from pipeline.runtime.process.lag import PartitionWork
from tests.support.ports import free_ports


@asynccontextmanager
async def worker(answer: Any, status: int = 200) -> AsyncIterator[str]:
    """A server that answers `/lag` so; yields its URL."""

    async def respond(_: web.Request) -> web.Response:
        return web.json_response(answer, status=status)

    server = web.Application()
    server.router.add_get("/lag", respond)
    runner = web.AppRunner(server)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def test_what_workers_say_is_joined_and_who_does_not_answer_is_named() -> None:
    """One worker that is away would take the numbers of all others with it, or nobody would know of it."""
    first: Mapping[str, Any] = {"messenger": {"commands.bulk/0": {"held": 3, "oldest_held": 5, "of_tomorrow": True}}}
    second = {"messenger": {"commands.bulk/1": {"runnable": 2}, "commands.bulk/0": {}}, "intake": {}}
    away = f"http://user:hush@127.0.0.1:{free_ports()}"

    async def run() -> WorkerAnswers:
        text = {"intake": {"webhooks.raw/0": {"held": "many"}}}
        async with (
            worker(first) as one,
            worker(second) as two,
            worker([1]) as strange,
            worker(text) as texts,
            worker({}, 404) as old,
        ):
            return await ask_workers([one, f"{two}/", away, strange, texts, old, "http://no.such.host.invalid:1"])

    found = asyncio.run(run())
    assert found.work == {
        "messenger": {
            ("commands.bulk", 0): PartitionWork(held=3, oldest_held=5),
            ("commands.bulk", 1): PartitionWork(runnable=2),
        },
        "intake": {},
    }
    assert sorted(found.silent.values()) == [
        "HTTP 404",
        "its answer is not a worker's",
        "its answer is not a worker's",
        "its name is unknown",
        "no connection",
    ]
    assert found.silent[without_password(away)] == "no connection"
    assert "hush" not in str(found)


def test_a_name_stands_for_all_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Kubernetes one name leads to every pod: the held records of all but one would be unknown."""

    async def run() -> WorkerAnswers:
        async with worker({"intake": {"webhooks.raw/0": {}}}) as url:
            port = int(url.rpartition(":")[2])

            async def resolve(*_: Any, **__: Any) -> list[Any]:
                # The second one does not answer, like a pod that has just ended.
                addresses = ("127.0.0.1", port), ("127.0.0.2", port), ("127.0.0.1", port)
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in addresses]

            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve, raising=False)
            return await ask_workers([f"http://workers:{port}"])

    found = asyncio.run(run())
    assert found.work == {"intake": {("webhooks.raw", 0): PartitionWork()}}
    assert found.silent == {}


def test_a_worker_that_hangs_is_waited_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose event loop is blocked would hang the command that is to show it."""
    monkeypatch.setattr(workers, "TIMEOUT", 0.2)

    async def run() -> WorkerAnswers:
        hanging = await asyncio.start_server(lambda *_: asyncio.sleep(0), "127.0.0.1", 0)
        async with hanging:
            port = hanging.sockets[0].getsockname()[1]
            return await ask_workers([f"http://127.0.0.1:{port}"])

    assert list(asyncio.run(run()).silent.values()) == ["no answer in time"]


@pytest.mark.parametrize("url", ["worker:8080", "ftp://worker:1", "http://", "http://a:b", "http://a:99999", ""])
def test_what_is_no_address_is_refused_in_one_line(url: str) -> None:
    """A user who mistypes an address would read that the worker does not answer."""
    with pytest.raises(ConfigurationError, match="write it as http://host:port"):
        require_url(url)
