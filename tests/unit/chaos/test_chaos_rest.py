"""The end of a chaos run: it is not at rest while records are parked, whose offsets are committed."""

from __future__ import annotations

import asyncio

from aiohttp import web

from chaos.rest import parked_left
from chaos.stack import Worker


async def _left(*queues: dict[str, object]) -> list[str]:
    async def parked(_: web.Request) -> web.Response:
        return web.json_response({"queues": queues, "next": None})

    app = web.Application()
    app.add_routes([web.get("/parked", parked)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return await parked_left([Worker("messenger", 1, f"http://127.0.0.1:{runner.addresses[0][1]}")])
    finally:
        await runner.cleanup()


def test_a_run_is_not_at_rest_while_records_are_parked() -> None:
    """No lag shows them, so they would be counted as missing, or the pipeline's effects before they are made."""
    queue = {"app": "messenger", "topic": "commands.bulk", "partition": 1, "tenant": "absent", "key": "~1"}
    assert not asyncio.run(_left())
    two = asyncio.run(_left({**queue, "records": 4}, {**queue, "partition": 2, "records": 3}))
    assert two == ["messenger has 7 parked records"]


def test_a_worker_that_does_not_tell_is_not_at_rest() -> None:
    """What it has parked would be taken for nothing."""
    (silent,) = asyncio.run(parked_left([Worker("messenger", 1, "http://127.0.0.1:1")]))
    assert "does not tell what is parked" in silent
