"""Who gets a connection of the ingress, for how long, and what those who send nothing can't take from the others."""

from __future__ import annotations

import asyncio
import gc
import resource
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import pytest

from pipeline.ingress import file_limit
from pipeline.ingress.connection import IngressConnection, Timeouts
from pipeline.ingress.responses import BODIES
from pipeline.topics.records import Record
from tests.support.cloud_webhooks import signature
from tests.support.ingress_client import Client, ingress
from tests.support.ingress_peer import Peer
from tests.support.waiting import HANG, until

BODY: Final = b'{"object":"whatsapp_business_account","entry":[]}'
FORGED: Final = "sha256=" + "0" * 64
LARGE: Final = 3 * 1024 * 1024
ELSEWHERE: Final = "127.0.0.2"
SILENT = b""
PATIENT = Timeouts(body=2 * HANG, grace=0, place=0)
HALF_A_HEAD = b"POST /webhooks/cloud HTTP/1.1\r\nHost: x\r\nContent-Ty"


def head(length: int, sign: str = FORGED, **more: str) -> bytes:
    """Of a webhook that may be authentic until its body is there."""
    named = {"Host": "x", "Content-Type": "application/json", "Content-Length": str(length)}
    lines = [
        f"{name.replace('_', '-')}: {text}" for name, text in (named | {"X-Hub-Signature-256": sign} | more).items()
    ]
    return ("POST /webhooks/cloud HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode()


def webhook(body: bytes = BODY) -> bytes:
    return head(len(body), signature(body)) + body


class Broker:
    """In the publisher's place: acknowledges, once it is let."""

    def __init__(self, client: Client, acknowledges: bool = True) -> None:
        self.let = asyncio.Event()
        self.waiting = 0
        if acknowledges:
            self.let.set()
        vars(client.ingress.publisher)["publish"] = self.publish

    async def publish(self, _: Sequence[Record]) -> None:
        self.waiting += 1
        await self.let.wait()
        self.waiting -= 1


def run(test: Callable[[Client], Awaitable[None]], **options: object) -> None:
    async def main() -> None:
        async with ingress(**options) as client:  # type: ignore[arg-type]
            await test(client)

    asyncio.run(main())


def still_open(peers: Sequence[Peer]) -> list[Peer]:
    return [peer for peer in peers if peer.is_open]


@pytest.mark.parametrize("sent", [SILENT, HALF_A_HEAD, head(LARGE)], ids=["silent", "half a head", "no body"])
def test_whoever_waits_longest_gives_way_to_a_newcomer(sent: bytes) -> None:
    """A thousand sockets that say nothing would shut the door for everybody."""

    async def test(client: Client) -> None:
        Broker(client)
        peers = [await Peer.of(client, sent) for _ in range(3)]
        assert await (await Peer.of(client, webhook())).status() == 200
        peers[0].send(b"x")
        assert await peers[0].status() == 503
        assert len(still_open(peers[1:])) == 2
        for _ in range(10):
            assert await (await Peer.of(client, webhook())).status() == 200

    run(test, ingress_connections=3, timeouts=PATIENT)


def test_a_burst_is_served_in_its_order() -> None:
    """The first of many webhooks at once would be cut off for the last, and each of them be sent again."""

    async def test(client: Client) -> None:
        Broker(client)
        first = [await Peer.of(client, head(len(BODY), signature(BODY))) for _ in range(3)]
        for _ in range(20):
            assert await (await Peer.of(client, webhook())).status() == 503
        for peer in first:
            peer.send(BODY)
        assert [await peer.status() for peer in first] == [200] * 3

    run(test, ingress_connections=3, timeouts=Timeouts(body=2 * HANG, grace=2 * HANG, place=0))


def test_who_was_answered_early_may_write_on_while_it_gives_way() -> None:
    """A caller whose connection is closed while it writes never reads why it was refused."""

    async def test(client: Client) -> None:
        Broker(client)
        refused = await Peer.of(client, head(1_000_000, "none"))
        assert await refused.status() == 401
        refused.send(b"x" * 10)
        assert await (await Peer.of(client, webhook())).status() == 200
        refused.send(b"x" * 900_000)
        await asyncio.wait_for(refused._writer.drain(), HANG)
        assert refused.is_open

    run(test, ingress_connections=1, timeouts=PATIENT)


def test_an_idle_connection_gives_way_without_a_word() -> None:
    """A caller that keeps its connection would read an answer to a request that it has not made."""

    async def test(client: Client) -> None:
        Broker(client)
        kept = await Peer.of(client, webhook())
        assert await kept.status() == 200
        assert await (await Peer.of(client, webhook())).status() == 200
        await kept.end()

    run(test, ingress_connections=1, timeouts=PATIENT)


def test_what_is_being_answered_is_never_closed_for_a_newcomer() -> None:
    """A webhook that is on its way to the broker would be cut off, and its provider send it once more."""

    async def test(client: Client) -> None:
        broker = Broker(client, acknowledges=False)
        busy = [await Peer.of(client, webhook()) for _ in range(3)]
        await until(lambda: broker.waiting == 3)
        newcomers = [await Peer.of(client, webhook()) for _ in range(5)]
        assert [await peer.status() for peer in newcomers] == [503] * 5
        assert (await client.get("/healthz"))[0] == 200
        assert (await client.get("/readyz"))[0] == 503
        broker.let.set()
        assert [await peer.status() for peer in busy] == [200] * 3
        assert await (await Peer.of(client, webhook())).status() == 200

    run(test, ingress_connections=3, timeouts=PATIENT)


def test_a_flood_of_silence_never_takes_the_place_of_requests() -> None:
    """A provider whose webhooks are answered slowly would lose its connections to whoever opens new ones."""

    async def test(client: Client) -> None:
        broker = Broker(client, acknowledges=False)
        busy = [await Peer.of(client, webhook()) for _ in range(8)]
        await until(lambda: broker.waiting == 8)
        for _ in range(100):
            await Peer.of(client)
        broker.let.set()
        assert [await peer.status() for peer in busy] == [200] * 8

    run(test, ingress_connections=10)


def test_requests_that_come_in_one_piece_are_all_answered() -> None:
    """Of webhooks that are sent without waiting for answers, all but the first would be lost to a newcomer."""

    async def test(client: Client) -> None:
        broker = Broker(client, acknowledges=False)
        peer = await Peer.of(client, webhook() * 5 + head(len(BODY), signature(BODY)) + BODY[:10])
        await until(lambda: broker.waiting == 1)
        for _ in range(20):
            await Peer.of(client)
        broker.let.set()
        assert [await peer.status() for _ in range(5)] == [200] * 5
        peer.send(BODY[10:])
        assert await peer.status() == 200

    run(test, ingress_connections=4)


@pytest.mark.parametrize("sent", [SILENT, HALF_A_HEAD, webhook() + HALF_A_HEAD], ids=["silent", "half", "second half"])
def test_a_head_has_its_time(sent: bytes) -> None:
    """Whoever begins a request and never ends it would hold its connection for an hour."""

    async def test(client: Client) -> None:
        Broker(client)
        peer = await Peer.of(client, sent)
        if sent.startswith(b"POST") and sent != HALF_A_HEAD:
            assert await peer.status() == 200
            peer.send(b"x")
        await peer.end()

    run(test, timeouts=Timeouts(head=0.2))


def test_bytes_that_drip_buy_no_time() -> None:
    """A byte a second would hold a connection for as long as one likes."""

    async def test(client: Client) -> None:
        peer = await Peer.of(client, HALF_A_HEAD)
        while peer.is_open:
            peer.send(b"x")
            await asyncio.sleep(0.02)
        await peer.end()

    run(test, timeouts=Timeouts(head=0.3))


def test_an_idle_connection_has_its_time() -> None:
    """Connections that nobody needs any more would stay for an hour."""

    async def test(client: Client) -> None:
        Broker(client)
        peer = await Peer.of(client, webhook())
        assert await peer.status() == 200
        await peer.end()

    run(test, ingress_keepalive=0.2)


def test_a_caller_that_takes_no_answers_is_cut_off() -> None:
    """A connection that is written to for ever could be given to nobody else."""

    async def test(client: Client) -> None:
        peer = await Peer.of(client)
        peer._writer.transport.pause_reading()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionError):
            while True:
                peer.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
                await asyncio.wait_for(peer._writer.drain(), HANG)

    run(test, timeouts=Timeouts(response=0.2))


def test_one_client_has_its_share_of_connections() -> None:
    """One machine would take all of them, and a thousand others' webhooks none."""

    async def test(client: Client) -> None:
        Broker(client)
        ours = await Peer.of(client, webhook())
        assert await ours.status() == 200
        strangers = [await Peer.of(client, head(LARGE), ELSEWHERE) for _ in range(40)]
        assert [await peer.status() for peer in strangers[:-5]] == [503] * 35
        assert len(still_open(strangers[-5:])) == 5
        ours.send(webhook())
        assert await ours.status() == 200

    run(test, ingress_connections=100, ingress_connections_per_client=5, timeouts=PATIENT)


def test_a_trusted_proxy_speaks_for_many_clients_each_with_its_share() -> None:
    """Behind a proxy everybody would be one client; or one of them could hold up all the others."""

    async def test(client: Client) -> None:
        Broker(client)
        provider = [
            await Peer.of(client, head(len(BODY), signature(BODY), X_Forwarded_For="7.7.7.7")) for _ in range(4)
        ]
        slow = [await Peer.of(client, head(LARGE, X_Forwarded_For="6.6.6.6") + b"x") for _ in range(40)]
        assert [await peer.status() for peer in slow[:-5]] == [503] * 35
        for peer in provider:
            peer.send(BODY)
        assert [await peer.status() for peer in provider] == [200] * 4
        assert await (await Peer.of(client, webhook())).status() == 200

    run(test, trusted_proxies="127.0.0.1", ingress_connections_per_client=5, timeouts=PATIENT)


def test_callers_of_one_network_are_one_client() -> None:
    """Who has IPv6 has more addresses than anybody can count."""
    from pipeline.ingress.trusted_proxies import TrustedProxies

    proxies = TrustedProxies()
    assert (
        proxies.connection_client("2001:db8::1")
        == proxies.connection_client("2001:db8::ffff:2")
        != proxies.connection_client("2001:db8:0:1::1")
    )
    assert (
        proxies.connection_client("::ffff:10.0.0.1")
        == proxies.connection_client("10.0.0.1")
        != proxies.connection_client("10.0.0.2")
    )
    assert proxies.connection_client(None) is proxies.connection_client("no address") is None


def test_bytes_that_were_only_announced_take_no_room() -> None:
    """Twenty-two heads of somebody who knows no secret would shut the ingress."""

    async def test(client: Client) -> None:
        Broker(client)
        peers = [await Peer.of(client, head(LARGE) + b"x", ELSEWHERE) for _ in range(100)]
        assert await (await Peer.of(client, webhook())).status() == 200
        slow = await Peer.of(client, head(len(BODY), signature(BODY)) + BODY[:5])
        slow.send(BODY[5:])
        assert await slow.status() == 200
        assert len(still_open(peers)) == 100

    run(test, timeouts=PATIENT)


def test_bytes_that_came_take_room_of_their_client_and_give_it_back() -> None:
    """One client's bodies would take the room of everybody's; or, once they are gone, nobody would get it."""

    async def test(client: Client) -> None:
        Broker(client)

        async def half(host: str) -> Peer:
            peer = await Peer.of(client, head(8_000, signature(b"y" * 8_000)), host)
            peer.send(b"y" * 6_000)
            return peer

        both = [await half(ELSEWHERE) for _ in range(2)]  # 12,000 of the 8,000 bytes that one client may have under way
        answers = [asyncio.create_task(peer.status()) for peer in both]
        (refused,), (waits,) = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        assert await refused == 503
        ours = await half("127.0.0.1")
        ours.send(b"y" * 2_000)
        assert await ours.status() == 200
        both[answers.index(waits)].close()

        async def is_taken() -> bool:
            peer = await half(ELSEWHERE)
            peer.send(b"y" * 2_000)
            return await peer.status() == 200

        await until(is_taken)

    run(test, body_limit=8_000, max_in_flight=32_000, timeouts=PATIENT)


def test_a_body_that_stalls_is_let_go() -> None:
    """A caller that stops in the middle would keep what it has sent for as long as the deadline lasts."""

    async def test(client: Client) -> None:
        peer = await Peer.of(client, head(100) + b"half of it")
        assert await peer.status() == 503

    run(test, timeouts=Timeouts(body=0.2))


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/webhooks/cloud", {}),
        ("/webhooks/cloud", {"X-Hub-Signature-256": "sha256=beef"}),
        ("/api/whatsapp/messages/send-text", {"Authorization": "Bearer wrong"}),
    ],
)
def test_who_can_not_be_authentic_is_told_before_the_body(path: str, headers: dict[str, str]) -> None:
    """Bytes of somebody without a secret would be waited for, and held."""

    async def test(client: Client) -> None:
        lines = {"Host": "x", "Content-Type": "application/json", "Content-Length": "1000000"} | headers
        text = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
        assert await (await Peer.of(client, text.encode())).status() == 401

    run(test)


def test_a_body_is_asked_for_where_it_may_be_authentic_only() -> None:
    """Whoever waits to be asked (curl does) would wait in vain, or be asked for what is refused."""

    async def test(client: Client) -> None:
        Broker(client)
        peer = await Peer.of(client, head(len(BODY), signature(BODY), Expect="100-continue"))
        assert await asyncio.wait_for(peer._reader.readuntil(b"\r\n\r\n"), HANG) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.send(BODY)
        assert await peer.status() == 200
        assert await (await Peer.of(client, head(len(BODY), "none", Expect="100-continue"))).status() == 401

    run(test)


def test_what_was_no_http_leaves_nothing_behind() -> None:
    """Garbage behind bodies of 3 MB took 1.3 GB: each error held its connection, and the collector was not woken."""

    async def test(client: Client) -> None:
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", client.ingress.port)
                writer.write(head(3, "a" * 64) + b"{ }" + b"1\r\n" * 1000)
                answers = await asyncio.wait_for(reader.read(), HANG)
                assert [line for line in answers.split(b"\r\n") if b"HTTP/1.1 401" in line or b"HTTP/1.0 400" in line]
                writer.close()
            await until(lambda: not any(type(each) is IngressConnection for each in gc.get_objects()))
        finally:
            gc.enable()

    run(test)


@pytest.mark.parametrize("target", ["OPTIONS *", "CONNECT evil.example:1", "GET /%0a", "GET /%0d%0asecret"])
def test_what_is_for_no_path_is_answered_as_everything_is(target: str) -> None:
    """aiohttp's own 404 told its version and Python's, to whoever looks for known faults."""

    async def test(client: Client) -> None:
        for port in (client.ingress.port, client.ingress.admin_port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"{target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = await asyncio.wait_for(reader.read(), HANG)
            writer.close()
            assert answer.startswith(b"HTTP/1.1 404 ")
            assert answer.endswith(BODIES[404])
            assert b"server:" not in answer.lower()

    run(test)


def test_health_has_a_port_that_no_flood_of_webhooks_fills() -> None:
    """The platform would kill a process that withstands a flood, because its probe finds no place."""

    async def test(client: Client) -> None:
        broker = Broker(client, acknowledges=False)
        busy = [await Peer.of(client, webhook()) for _ in range(2)]
        await until(lambda: broker.waiting == 2)
        for path, status in (("/healthz", 200), ("/readyz", 503), ("/metrics", 200), ("/webhooks/cloud", 404)):
            async with client.session.get(f"http://127.0.0.1:{client.ingress.admin_port}{path}") as response:
                assert (response.status, "Server" in response.headers) == (status, False)
                text = await response.text()
                assert path != "/metrics" or "pipeline_connections" in text
        broker.let.set()
        assert [await peer.status() for peer in busy] == [200] * 2
        for path in ("/healthz", "/metrics"):
            assert (await client.get(path))[0] == 200, "they stay on the usual port"

    run(test, ingress_connections=2, timeouts=PATIENT)


@pytest.mark.parametrize(
    "sent",
    [
        b"BREW /hush HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /hush\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nhush\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"hush" * 5_000 + b"\r\n\r\n",
        b"GET /" + b"hush" * 5_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /webhooks/cloud HTTP/1.1\r\nHost: x\r\nContent-Length: hush\r\n\r\n",
        b"POST /webhooks/cloud HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nhush\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nExpect: hush\r\n\r\n",
        b"GET /hush HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PUT /webhooks/cloud HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=range(11),
)
def test_no_answer_quotes_a_request_or_names_our_software(sent: bytes) -> None:
    """A secret that was sent badly would be shown to whoever sees the answer, and a scanner told which holes to try."""

    async def test(client: Client) -> None:
        peer = await Peer.of(client, sent)
        answer = await asyncio.wait_for(peer._reader.readuntil(b"}\n"), HANG)
        assert answer.startswith(b"HTTP/")
        assert b"hush" not in answer
        assert not [word for word in (b"server:", b"aiohttp", b"python") if word in answer.lower()]

    run(test)


def test_too_few_files_are_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ingress would stop taking connections at a number that nobody has set, without a word."""
    limits = {"now": (256, 4_096)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.update(now=new))
    assert file_limit.raise_file_limit(1_000, 500) is None
    assert limits["now"] == (1_500 + file_limit.OTHER_FILES, 4_096), "raised as far as it must"
    warning = file_limit.raise_file_limit(10_000, 500)
    assert limits["now"] == (4_096, 4_096)
    assert (file_limit.spare_files(10_000), file_limit.spare_files(3_000)) == (0, 1_096 - file_limit.OTHER_FILES)
    assert warning is not None
    assert "4096 open files" in warning
    assert "PIPELINE_INGRESS_CONNECTIONS" in warning
