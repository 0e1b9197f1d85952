"""One tenant's flood of authentic webhooks at the real ingress, and another tenant's webhook."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import pytest
from prometheus_client import REGISTRY

from pipeline.ingress.connection import Timeouts
from pipeline.ingress.fair_queue import QUANTUM, REQUEST_BYTES
from pipeline.tenants import Tenants, TenantsFile
from pipeline.topics import headers
from pipeline.topics.records import Record
from tests.support.cloud_webhooks import SECRETS, contact, signature, text, value, webhook
from tests.support.ingress_client import Client, ingress
from tests.support.ingress_peer import Peer
from tests.support.waiting import HANG, until

FLOOD = "111"
OTHER = "222"
ONE_TURN = QUANTUM // REQUEST_BYTES
PATIENT = Timeouts(body=2 * HANG, grace=2 * HANG, place=0)


def tenants() -> Tenants:
    """`acme` floods from its number; `globex` has another number of the same app."""
    owners = [("acme", FLOOD), ("globex", OTHER)]
    content = [{"id": name, "accounts": [{"provider": "cloud", "id": id_, "token": "t"}]} for name, id_ in owners]
    app = {"id": "app", "app_secrets": [SECRETS[0]], "verify_token": "v"}
    return Tenants(TenantsFile.model_validate({"cloud_apps": [app], "tenants": content}))


def request(number: str, name: str, body: str = "hi") -> bytes:
    """A signed webhook of a number, as bytes on a connection."""
    message = text(name, body=body)
    content = orjson.dumps(webhook(value(number, contacts=[contact()], messages=[message])))
    lines = [
        "POST /webhooks/cloud HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        f"X-Hub-Signature-256: {signature(content)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class Broker:
    """In the publisher's place: notes the order of the records, and acknowledges once it is let."""

    def __init__(self, client: Client) -> None:
        self.let = asyncio.Event()
        self.published: list[str] = []
        vars(client.ingress.publisher)["publish"] = self.publish

    async def publish(self, records: Sequence[Record]) -> None:
        self.published += [dict(record.headers)[headers.ACCOUNT].decode() for record in records]
        await self.let.wait()


def queued() -> float:
    return REGISTRY.get_sample_value("pipeline_webhooks_waiting") or 0.0


def displaced(tenant: str) -> float:
    labels = {"tenant": tenant, "quota": "webhooks"}
    return REGISTRY.get_sample_value("pipeline_over_quota_total", labels) or 0.0


def run(test: Callable[[Client, Broker], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        options.setdefault("timeouts", PATIENT)
        async with ingress(owners=tenants(), max_publishing=4, **options) as client:
            await test(client, Broker(client))

    asyncio.run(main())
    assert queued() == 0


async def flood(client: Client, broker: Broker, count: int, body: str = "hi") -> list[Peer]:
    """So many webhooks of one tenant, each by a connection of its own; 4 are published, the rest waits."""
    peers = [await Peer.of(client, request(FLOOD, f"wamid.{n}", body)) for n in range(count)]
    await until(lambda: len(broker.published) == 4 and queued() == count - 4)
    return peers


def test_another_tenants_webhook_is_published_before_the_rest_of_a_flood() -> None:
    """A tenant's users would wait for their answers until another tenant's backlog is through."""

    async def test(client: Client, broker: Broker) -> None:
        peers = await flood(client, broker, 60)
        peers.append(await Peer.of(client, request(OTHER, "wamid.other")))
        await until(lambda: queued() == 57)
        broker.let.set()
        assert [await peer.status() for peer in peers] == [200] * 61
        assert broker.published.index(OTHER) <= 4 + ONE_TURN

    run(test)


@pytest.mark.parametrize("limit", ["ingress_connections", "ingress_connections_per_client"])
def test_a_flood_that_fills_the_ingress_gives_way_to_another_tenant(limit: str) -> None:
    """All connections would wait for one tenant's webhooks, and every other tenant's be refused."""

    async def test(client: Client, broker: Broker) -> None:
        before = displaced("acme"), displaced("globex")
        peers = await flood(client, broker, 20)
        other = await Peer.of(client, request(OTHER, "wamid.other"))
        assert await peers[-1].status() == 503
        await peers[-1].end()
        await until(lambda: queued() == 16)
        broker.let.set()
        assert await other.status() == 200
        assert [await peer.status() for peer in peers[:-1]] == [200] * 19
        assert broker.published.index(OTHER) <= 4 + ONE_TURN
        assert (displaced("acme"), displaced("globex")) == (before[0] + 1, before[1])

    run(test, **{limit: 20})


def test_what_waits_is_not_displaced_by_more_of_the_flood() -> None:
    """A webhook that got its place would lose it again to the next one of the flood."""

    async def test(client: Client, broker: Broker) -> None:
        peers = await flood(client, broker, 20)
        other = await Peer.of(client, request(OTHER, "wamid.other"))
        assert await peers[-1].status() == 503
        await until(lambda: queued() == 16)
        newest = peers[-2]
        for n in range(30):
            newcomer = await Peer.of(client, request(FLOOD, f"wamid.more.{n}"))
            assert await newest.status() == 503
            newest = newcomer
            await until(lambda: queued() == 16)
        broker.let.set()
        assert await other.status() == 200
        assert [await peer.status() for peer in [*peers[:-2], newest]] == [200] * 19

    run(test, ingress_connections=20)


def test_a_tenant_that_holds_little_keeps_its_place_in_a_burst_of_strangers() -> None:
    """Connections that have said nothing yet would take the place of an authentic webhook."""

    async def test(client: Client, broker: Broker) -> None:
        await flood(client, broker, 4)
        other = await Peer.of(client, request(OTHER, "wamid.other"))
        await until(lambda: queued() == 1)
        strangers = [await Peer.of(client, b"POST /webhooks/cloud HTTP/1.1\r\nHo") for _ in range(40)]
        assert await strangers[-1].status() == 503
        broker.let.set()
        assert await other.status() == 200

    run(test, ingress_connections=10)


def test_bytes_that_wait_make_room_for_another_tenant() -> None:
    """Large webhooks of one tenant would fill the memory, and every other tenant's webhook be refused."""
    body = "x" * 4_000
    size = len(request(FLOOD, "wamid.11", body).partition(b"\r\n\r\n")[2])

    async def test(client: Client, broker: Broker) -> None:
        peers = await flood(client, broker, 12, body)
        other = await Peer.of(client, request(OTHER, "wamid.other", body))
        assert await peers[-1].status() == 503
        broker.let.set()
        assert await other.status() == 200
        assert [await peer.status() for peer in peers[:-1]] == [200] * 11

    run(test, max_in_flight=12 * REQUEST_BYTES + 8 * size)


def test_who_has_no_secret_takes_nobodys_room() -> None:
    """Strangers could have authentic webhooks refused, by heads without a signature."""
    body = "x" * 4_000
    size = len(request(FLOOD, "wamid.11", body).partition(b"\r\n\r\n")[2])
    head = b"POST /webhooks/cloud HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n"

    async def test(client: Client, broker: Broker) -> None:
        peers = await flood(client, broker, 12, body)
        for _ in range(10):
            assert await (await Peer.of(client, head + b"y" * 8_000)).status() == 401
        broker.let.set()
        assert [await peer.status() for peer in peers] == [200] * 12

    run(test, max_in_flight=12 * REQUEST_BYTES + 8 * size)


def test_a_full_ingress_closes_what_it_has_answered() -> None:
    """Connections that a flood keeps would take the places of callers who come anew."""

    async def test(client: Client, broker: Broker) -> None:
        broker.let.set()
        for n in range(3):
            peer = await Peer.of(client, request(FLOOD, f"wamid.{n}"))
            assert await peer.status() == 200
            await peer.end()

    run(test, ingress_connections=1)


def test_a_webhook_whose_time_is_up_gives_its_turn_back() -> None:
    """After an hour of a slow broker nothing would be published any more, by a broker that is well."""

    async def test(client: Client, broker: Broker) -> None:
        peers = [await Peer.of(client, request(FLOOD, f"wamid.{n}")) for n in range(30)]
        assert [await peer.status() for peer in peers] == [503] * 30
        assert queued() == 0
        broker.let.set()
        peers = [await Peer.of(client, request(OTHER, f"wamid.{n}")) for n in range(30)]
        assert [await peer.status() for peer in peers] == [200] * 30

    run(test, ingress_deadline=0.3)


def test_a_caller_that_leaves_the_queue_takes_no_turn() -> None:
    """Turns would be lost to callers that are gone, one by one, until nobody gets any."""

    async def test(client: Client, broker: Broker) -> None:
        peers = await flood(client, broker, 20)
        for peer in peers[4:]:
            peer.close()
        broker.let.set()
        assert [await peer.status() for peer in peers[:4]] == [200] * 4
        other = [await Peer.of(client, request(OTHER, f"wamid.other.{n}")) for n in range(20)]
        assert [await peer.status() for peer in other] == [200] * 20

    run(test)


LASTING = Timeouts(body=2 * HANG, grace=2 * HANG, place=2 * HANG)


def test_above_the_limit_a_webhook_waits_for_the_next_place() -> None:
    """A burst of one caller's connections would have everybody rejected who comes in the same millisecond."""

    async def test(client: Client, broker: Broker) -> None:
        first = [await Peer.of(client, request(FLOOD, f"wamid.{n}")) for n in range(2)]
        await until(lambda: len(broker.published) == 2)
        silent = [await Peer.of(client) for _ in range(20)]
        waits = [await Peer.of(client, request(OTHER, f"wamid.other.{n}")) for n in range(10)]
        broker.let.set()
        assert [await peer.status() for peer in first + waits] == [200] * 12
        silent[0].send(request(OTHER, "wamid.late"))
        assert await silent[0].status() == 200

    run(test, ingress_connections=2, timeouts=LASTING)


def test_clients_at_their_limits_keep_no_other_client_waiting() -> None:
    """A few addresses with too many connections would stand before everybody in the line for a place."""

    async def test(client: Client, broker: Broker) -> None:
        hosts = [f"127.0.0.{n}" for n in range(2, 6)]
        busy = [await Peer.of(client, request(FLOOD, f"wamid.{host}"), host) for host in hosts]
        await until(lambda: len(broker.published) == 4)
        idle = await Peer.of(client, host="127.0.0.6")
        blocked = [await Peer.of(client, request(FLOOD, f"wamid.more.{host}"), host) for host in hosts]
        other = await Peer.of(client, request(OTHER, "wamid.other"))
        await until(lambda: queued() == 1)
        await idle.end()
        broker.let.set()
        assert [await peer.status() for peer in [other, *busy, *blocked]] == [200] * 9

    run(test, ingress_connections=5, ingress_connections_per_client=1, timeouts=LASTING._replace(grace=0))


def test_a_probe_is_answered_while_webhooks_wait_for_a_place() -> None:
    """The platform would kill an ingress that is full and well."""

    async def test(client: Client, broker: Broker) -> None:
        busy = await Peer.of(client, request(FLOOD, "wamid.1"))
        await until(lambda: len(broker.published) == 1)
        waits = await Peer.of(client, request(OTHER, "wamid.2"))
        assert await client.get("/healthz") == (200, '{"status":"full"}\n')
        broker.let.set()
        assert [await peer.status() for peer in (busy, waits)] == [200, 200]

    run(test, ingress_connections=1, timeouts=LASTING)


def test_a_webhook_that_gets_no_place_is_told_to_come_again() -> None:
    """Its provider would wait for an answer until it takes the webhook for lost."""

    async def test(client: Client, broker: Broker) -> None:
        busy = await Peer.of(client, request(FLOOD, "wamid.1"))
        await until(lambda: len(broker.published) == 1)
        assert await (await Peer.of(client, request(OTHER, "wamid.2"))).status() == 503
        gone = await Peer.of(client, request(OTHER, "wamid.3"))
        gone.close()
        broker.let.set()
        assert await busy.status() == 200

    run(test, ingress_connections=1, timeouts=LASTING._replace(place=0.2))
