"""What a worker says about its accounts over HTTP, and the commands that ask it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import ClientSession

from pipeline import masking
from pipeline.accounts.find import ask_about
from pipeline.messenger.accounts import AccountFacts
from pipeline.messenger.controls import PAUSED, TENANT_PAUSED, Controls
from pipeline.runtime.faust.app import PipelineApp
from pipeline.runtime.flows.waits import Wait, Waits
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.runtime.process.health import HealthServer
from pipeline.tenants import Account
from tests.support.controls import START, at, limit, pause, record, tenants
from tests.support.loop_stand_ins import TP0, FakeApp
from tests.unit.runtime.parking import scene as parking

PARTITIONS = 8
NUMBER = "491771234567"
IDS = [str(each) for each in range(100, 140)]
KNOWN = tenants(80.0, acme=IDS[:30], globex=IDS[30:])
KEYS = sorted(f"cloud:{name}" for name in IDS)


@pytest.fixture(autouse=True)
def mask_key() -> Iterator[None]:
    """A key of masks that workers and commands of a test share."""
    masking.configure("a key of a test's own", None)
    yield
    masking.configure(None, None)


def owner_of(key: str) -> int:
    return partition_of(key.encode(), PARTITIONS)


def app(
    controls: Controls | None = None, own: set[int] | None = None, parked: dict[str, Any] | None = None
) -> SimpleNamespace:
    """An app with accounts, on some of the partitions."""

    def learnt(account: Account) -> dict[str, object]:
        return {"throttles": 3, "last_error": f"of +{NUMBER}"} if account.id == IDS[0] else {}

    source = AccountFacts(KNOWN, controls or Controls(KNOWN), learnt, now=lambda: START)
    return SimpleNamespace(
        conf=SimpleNamespace(id="messenger"),
        accounts=source,
        parked=parked or {},
        waits=dict,
        own_partitions=set(range(PARTITIONS)) if own is None else own,
        pipeline=SimpleNamespace(partitions=PARTITIONS),
        observe=lambda: asyncio.sleep(0),
    )


def other_app() -> SimpleNamespace:
    return SimpleNamespace(conf=SimpleNamespace(id="intake"), accounts=None, observe=lambda: asyncio.sleep(0))


def serve(scene: Callable[[str], Awaitable[None]], *apps: SimpleNamespace) -> None:
    """Let a scene ask the health server of a worker with these apps."""

    async def run() -> None:
        server = HealthServer(cast(list[PipelineApp], [*apps]), "127.0.0.1", 0, 1e6)
        try:
            await scene(f"http://127.0.0.1:{await server.start()}")
        finally:
            await server.stop()

    asyncio.run(run())


async def get(url: str, **headers: str) -> tuple[int, Any]:
    async with ClientSession(headers=headers) as session, session.get(url) as response:
        return response.status, await response.json()


async def names(url: str, query: str = "") -> list[str]:
    """The accounts of all pages of three."""
    found, cursor = list[str](), ""
    while True:
        status, page = await get(f"{url}/accounts?limit=3&cursor={cursor}{query}")
        assert status == 200
        found += [entry["account"] for entry in page["accounts"]]
        if page["next"] is None:
            return found
        cursor = page["next"]


def test_a_worker_names_the_accounts_of_its_partitions_page_by_page() -> None:
    """An account would be on two screens or on none, and a program that reads all could not."""

    async def scene(url: str) -> None:
        mine = [key for key in KEYS if owner_of(key) in {1, 4, 6, 7}]
        assert 3 < len(mine) < len(KEYS)
        assert await names(url) == mine
        globex = [key for key in mine if int(key.partition(":")[2]) >= 130]
        assert await names(url, "&tenant=globex") == globex
        assert await names(url, f"&account={mine[2]}") == [mine[2]]
        assert await names(url, "&provider=cloud&app=messenger") == mine
        for nobody in ("provider=wawp", "tenant=nobody", "app=intake", "account=cloud:404"):
            assert await get(f"{url}/accounts?{nobody}") == (200, {"accounts": [], "next": None})
        other = next(key for key in KEYS if key not in mine)
        assert await names(url, f"&account={other}") == []

    serve(scene, other_app(), app(own={1, 4, 6, 7}))
    serve(_is_empty, other_app())


async def _is_empty(url: str) -> None:
    assert await get(f"{url}/accounts") == (200, {"accounts": [], "next": None})


def test_it_says_what_it_obeys_and_what_other_parts_know() -> None:
    """An operator could not see if the messenger has heard of the pause, or why it sends slower than it should."""
    controls = Controls(KNOWN)
    for each in (pause("100", until=at(60)), limit("100", 5), pause(tenant="globex")):
        controls.apply(record(each), START)

    async def scene(url: str) -> None:
        (first,) = (await get(f"{url}/accounts?account=cloud:100"))[1]["accounts"]
        assert first == {
            "app": "messenger",
            "tenant": "acme",
            "account": "cloud:100",
            "paused": PAUSED,
            "paused_until": "2027-01-15T08:01:00+00:00",
            "messages_per_second": 5.0,
            "configured_messages_per_second": 80.0,
            "throttles": 3,
            "last_error": f"of {masking.masker().id(NUMBER)}",
            "topics": {},
        }
        causes = {
            each["account"]: each["paused"] for each in (await get(f"{url}/accounts?tenant=globex"))[1]["accounts"]
        }
        assert causes["cloud:130"] == TENANT_PAUSED
        (free,) = (await get(f"{url}/accounts?account=cloud:101"))[1]["accounts"]
        assert (free["paused"], free["paused_until"], free["messages_per_second"]) == (None, None, 80.0)

    serve(scene, app(controls))


def test_what_waits_of_an_account_is_shown_by_topic() -> None:
    """Whoever pauses a number would not see that its campaign waits, nor for how long."""
    site, site_app = parking.Site(), parking.app_of()

    async def park(_: FakeApp, loop: Any) -> None:
        loop.buffer.add(TP0, [parking.record("acme/away", n, n) for n in range(1_100)])
        await asyncio.sleep(31)
        held = loop.parked._holds.state(("acme", "acme/away"))
        loop.parked._holds = SimpleNamespace(state=lambda key: held if key == ("acme", "acme/away") else (None, ""))
        views.append(loop.parked)
        (waits,) = loop.waits().values()
        (place,), now = loop.waits(), asyncio.get_running_loop().time()
        left.update({name: wait.ends_at - now for name, wait in waits.items()})
        places.append((place, waits))

    def waits() -> dict[str, Waits]:
        """The same in the time of another loop, and what waits of a second account."""
        now, ((place, found),) = asyncio.get_running_loop().time(), places
        held = {name: Wait(wait.records, now + left[name]) for name, wait in found.items()}
        return {"commands.bulk": {place: held, (0, "acme", "acme/well"): {"nothing": Wait(3), "turn": Wait(2)}}}

    views, places, left = list[Any](), list[Any](), dict[str, float]()
    parking.play(site_app, site, park)
    one = app(parked={"commands.bulk": views[0]})
    one.waits = waits
    one.accounts = SimpleNamespace(
        fair_keys=lambda: [("acme", "acme/away"), ("acme", "acme/well")], describe=lambda _: {}
    )

    async def scene(url: str) -> None:
        away, well = (await get(f"{url}/accounts"))[1]["accounts"]
        topic = away["topics"]["commands.bulk"]
        assert (topic["parked"], topic["cause"]) == (1_100, "KeyUnavailable: account cloud:1 is away")
        assert topic["bytes"] > 1_100
        assert topic["oldest_seconds"] > 0
        assert 0 <= topic["held_seconds"] <= parking.TRY_AGAIN
        assert topic["sendable"] == 0
        assert topic["held"] == {"other": {"records": 1_100, "seconds": pytest.approx(29, abs=29)}}
        empty = {"parked": 0, "bytes": 0, "oldest_seconds": None, "held_seconds": None, "cause": ""}
        assert well["topics"] == {
            "commands.bulk": {**empty, "sendable": 3, "held": {"turn": {"records": 2, "seconds": None}}}
        }

    serve(scene, one)


def test_texts_are_masked_unless_the_caller_proves_that_it_may_read_them() -> None:
    """Whoever reaches a worker's port would read a customer's number; or the operator could not."""

    async def scene(url: str) -> None:
        assert (await get(f"{url}/accounts?reveal=1"))[0] == 403
        assert (await get(f"{url}/accounts?reveal=1", Authorization="Bearer guessed"))[0] == 403
        masked, revealed = await ask_about([url], "cloud:100"), await ask_about([url], "cloud:100", reveal=True)
        assert NUMBER not in json.dumps(masked.facts)
        assert revealed.facts[url]["last_error"] == f"of +{NUMBER}"
        for wrong in ("limit=0", "limit=many", "limit=1001"):
            assert (await get(f"{url}/accounts?{wrong}"))[0] == 400

    serve(scene, app())


def test_a_worker_that_does_not_answer_is_named() -> None:
    """An operator would take an account without a messenger for one that is well."""

    async def scene(url: str) -> None:
        found = await ask_about([url, "http://127.0.0.1:1"], "cloud:100")
        assert list(found.facts) == [url]
        assert list(found.silent) == ["http://127.0.0.1:1"]

    serve(scene, app())
