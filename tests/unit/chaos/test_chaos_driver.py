"""The driver of a chaos run against a door that fails: it goes on as a platform would, and keeps the order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from random import Random

import orjson
from aiohttp import web

from chaos.driver import Driver
from chaos.options import Options
from chaos.traffic import traffic
from chaos.webhooks import ASIDE
from tests.support.waiting import HANG

OPTIONS = Options(seconds=1, rate=150, contacts=20)


class Door:
    """Takes most webhooks, refuses some, hangs up on others."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self._luck = Random(1)

    async def take(self, request: web.Request) -> web.Response:
        body, luck = await request.read(), self._luck.random()
        await asyncio.sleep(luck / 50)
        if luck < 0.1 and request.transport is not None:
            request.transport.abort()
        if luck < 0.3:
            return web.Response(status=503)
        self.taken.append(body)
        return web.Response()


def test_everything_is_taken_in_the_end_and_first_in_order_for_each_contact() -> None:
    """The harness would lose inputs, or reorder them itself, and blame the pipeline."""
    door = Door()
    driver = asyncio.run(_driven(door))
    expected = {message for posting in traffic(OPTIONS) for message in posting.messages}
    assert set(driver.accepted) == expected
    assert len(door.taken) == driver.webhooks + driver.copies == driver.answers["200"]
    assert driver.answers["503"] and driver.answers["none"]
    assert all(found == sorted(found) for found in _first_times(door).values())


async def _driven(door: Door) -> Driver:
    app = web.Application()
    app.add_routes([web.post("/webhooks/cloud", door.take)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        driver = Driver(f"http://127.0.0.1:{runner.addresses[0][1]}")
        await asyncio.wait_for(driver.drive(traffic(OPTIONS)), HANG)
        return driver
    finally:
        await runner.cleanup()


def _first_times(door: Door) -> dict[str, list[tuple[int, bool]]]:
    """The places of each contact's messages, asides first, in the order in which they were first taken."""
    places: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for body in door.taken:
        for entry in orjson.loads(body)["entry"]:
            for message in entry["changes"][0]["value"]["messages"]:
                said = message["text"]["body"]
                place = int(said.split()[0]), not said.endswith(ASIDE)
                if place not in places[message["from"]]:
                    places[message["from"]].append(place)
    return places
