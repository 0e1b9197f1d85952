"""Where URLs may lead: to public addresses, whatever name, notation or redirect they come by."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import chain, repeat

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Unsendable
from pipeline.handlers.context import activate
from pipeline.handlers.media.handler import MEDIA
from pipeline.handlers.media.library import MediaLibrary
from pipeline.handlers.media.results import MediaUploadResult
from pipeline.handlers.services import Services
from pipeline.handlers.unit_of_work import UnitOfWork
from pipeline.providers import PROVIDERS
from pipeline.providers.media import MAX_REDIRECTS, AccountMedia
from pipeline.providers.public import URL_NOT_ALLOWED, embedded_ipv4, is_public
from pipeline.state import MemoryStore
from pipeline.tenants import Tenants, TenantsFile
from tests.support.handler_events import ACCOUNT, text

JPEG = b"\xff\xd8\xff\xe0 a picture"
NOWHERE = "http://127.0.0.1:1"
LOOPBACK = (ip_network("127.0.0.0/8"),)
PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
    *("255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fec0::1"),
    *("ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *(
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2001:0:0:0:0:0:80ff:fffe",
        "2001:db8::1",
        "fd00:ec2::254",
        "168.63.129.16",
        "::ffff:168.63.129.16",
    ),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_no_notation_makes_a_private_address_public(address: str) -> None:
    """A URL would reach a cloud's metadata service or a neighbour's database, and its answer be sent on."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "157.240.1.53", "2a03:2880::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_public(address: str) -> None:
    """No picture could be fetched from anywhere, or none behind NAT64."""
    assert is_public(ip_address(address))


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_an_ipv4_address_inside_of_ipv6_is_judged_as_itself(address: IPv4Address) -> None:
    """One of the six ways of writing an IPv4 address in IPv6 would be the way in."""
    number = int(address)
    forms = [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(int(IPv6Address("64:ff9b::")) | number),
        IPv6Address(0x2002 << 112 | number << 80),
        IPv6Address(0x20010000 << 96 | number ^ 0xFFFFFFFF),
    ]
    assert {embedded_ipv4(form) for form in forms} == {address}
    assert {is_public(form) for form in forms} == {is_public(address)}


class Names(AbstractResolver):
    """A DNS server of the test: each look-up of a name takes its next answer, the last one again and again."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name: chain(found[:-1], repeat(found[-1])) for name, found in answers.items()}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=each, port=port, family=socket.AF_INET, proto=0, flags=0)
            for each in next(self._answers[host])
        ]

    async def close(self) -> None:
        pass


class Server:
    """A web server at 127.0.0.1 and 127.0.0.2 that notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Callable[[], web.StreamResponse]] = {"/a": picture}
        self.port = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.method == "POST":
            return web.json_response({"id": "1"})
        return self.answers[request.path]()


def _both() -> list[socket.socket]:
    """One port of both addresses; another process may have the second one's."""
    while True:
        first = socket.create_server(("127.0.0.1", 0))
        try:
            return [first, socket.create_server(("127.0.0.2", first.getsockname()[1]))]
        except OSError:
            first.close()


def picture() -> web.Response:
    answer = web.Response(body=JPEG, content_type="image/jpeg")
    answer.force_close()  # so that the next request looks the name up again
    return answer


def moved(to: str) -> Callable[[], web.Response]:
    return lambda: web.Response(status=302, headers={"Location": to})


Hook = Callable[[Server], Awaitable[MediaUploadResult]]


def within(
    hook: Hook, *, own: bool = False, networks: Sequence[object] = (), names: Names | None = None
) -> tuple[MediaUploadResult, Server]:
    """What a handler gets; `own`: the server is where the account's provider is."""

    async def run() -> tuple[MediaUploadResult, Server]:
        server, event = Server(), text()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", server.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        sockets = _both()
        for each in sockets:
            await web.SockSite(runner, each).start()
        server.port = sockets[0].getsockname()[1]
        provider = f"http://127.0.0.1:{server.port}" if own else NOWHERE
        account = {"provider": "cloud", "id": ACCOUNT, "token": "t", "base_url": provider}
        tenants = Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme", "accounts": [account]}]}))
        media = AccountMedia(PROVIDERS, tenants, (), networks, names)  # type: ignore[arg-type]
        unit = UnitOfWork(MemoryStore(), event.tenant_id, event.event_id)
        try:
            with activate(event, unit, Services(MediaLibrary(MemoryStore(), media), {})):
                return await hook(server), server
        finally:
            await media.close()
            await runner.cleanup()

    return asyncio.run(run())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "[::ffff:127.0.0.1]",
        "127.0.0.1.",
        "127%2e1",
    ],
)
def test_this_machine_is_not_fetched_from(host: str) -> None:
    """A user who names a URL would be sent what only this machine should see."""
    result, server = within(lambda server: MEDIA.upload_media_from_url(f"http://{host}:{server.port}/a"))
    assert not result.success
    assert result.error_code in {URL_NOT_ALLOWED, "DOWNLOAD_FAILED"}
    assert server.asked == []


@pytest.mark.parametrize("zone", ["%25", "%25lo", "%251"])
@pytest.mark.parametrize("address", ["::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::"])
def test_no_zone_makes_an_address_something_else(address: str, zone: str) -> None:
    """`[::1%25]`, whose zone is empty, was taken for a name, was never looked up, and led to this machine."""
    result, _ = within(lambda server: MEDIA.upload_media_from_url(f"http://[{address}{zone}]:{server.port}/a"))
    assert result.error_code == URL_NOT_ALLOWED


def test_what_is_refused_says_what_to_do() -> None:
    """Who has a file server of his own would not know how to allow it."""
    result, _ = within(lambda server: MEDIA.upload_media_from_url(f"http://127.0.0.1:{server.port}/a"))
    assert result.error_code == URL_NOT_ALLOWED
    assert "PIPELINE_MEDIA_NETWORKS" in (result.error or "")


def test_a_name_counts_by_what_it_resolves_to() -> None:
    """A name that anybody can register would lead to this machine."""
    names = Names(**{"evil.example": [["127.0.0.1"]]})
    result, server = within(lambda s: MEDIA.upload_media_from_url(f"http://evil.example:{s.port}/a"), names=names)
    assert (result.error_code, server.asked) == (URL_NOT_ALLOWED, [])


def test_the_address_that_was_checked_is_the_one_that_is_connected_to() -> None:
    """A name that answers with a public address first and a private one next would pass the check and come in."""

    async def twice(server: Server) -> MediaUploadResult:
        url = f"http://evil.example:{server.port}/a"
        assert (await MEDIA.upload_media_from_url(url)).error_code == "UPLOAD_FAILED"
        assert server.asked == ["/a"], "at 127.0.0.2, which stands for a public address"
        return await MEDIA.upload_media_from_url(url)

    names = Names(**{"evil.example": [["127.0.0.2"], ["127.0.0.1"]]})
    result, server = within(twice, names=names, networks=[ip_network("127.0.0.2/32")])
    assert (result.error_code, server.asked) == (URL_NOT_ALLOWED, ["/a"])


@pytest.mark.parametrize("target", ["http://127.0.0.1:{0}/a", "http://evil.example:{0}/a", "http://[::1]:{0}/a"])
def test_a_redirect_is_checked_as_the_first_hop_is(target: str) -> None:
    """A public server would send us on to this machine: 127.0.0.1 was fetched that way."""

    async def hook(server: Server) -> MediaUploadResult:
        server.answers["/to"] = moved(target.format(server.port))
        return await MEDIA.upload_media_from_url(f"http://good.example:{server.port}/to")

    names = Names(**{"good.example": [["127.0.0.2"]], "evil.example": [["127.0.0.1"]]})
    result, server = within(hook, names=names, networks=[ip_network("127.0.0.2/32")])
    assert (result.error_code, server.asked) == (URL_NOT_ALLOWED, ["/to"])


def test_redirects_end() -> None:
    """Two servers that point at each other would hold a handler until its time is over."""

    async def hook(server: Server) -> MediaUploadResult:
        server.answers["/b"] = moved("/b")
        return await MEDIA.upload_media_from_url(f"http://127.0.0.1:{server.port}/b")

    result, server = within(hook, networks=LOOPBACK)
    assert (result.error_code, len(server.asked)) == ("DOWNLOAD_FAILED", MAX_REDIRECTS)


def test_an_allowed_network_and_the_accounts_own_origin_are_fetched_from() -> None:
    """A file server of one's own, or a WAHA in one's own network, could not be used at all."""
    for own, networks in ((True, ()), (False, LOOPBACK)):
        result, server = within(
            lambda server: MEDIA.upload_media_from_url(f"HTTP://127.0.0.1:{server.port}/a"), own=own, networks=networks
        )
        assert server.asked[0] == "/a"
        assert result.success is own, result.error


def test_another_port_of_the_accounts_host_is_not_its_origin() -> None:
    """The database beside a self-hosted gateway would be open to whoever names a URL."""

    async def hook(server: Server) -> MediaUploadResult:
        return await MEDIA.upload_media_from_url(f"http://127.0.0.1:{server.port + 1}/a")

    assert within(hook, own=True)[0].error_code == URL_NOT_ALLOWED


def test_the_url_of_a_medium_is_checked_too() -> None:
    """A gateway that was broken into would have us fetch from our own network, with its token."""

    async def hook(server: Server) -> MediaUploadResult:
        server.answers[f"/v23.0/{ACCOUNT}"] = lambda: web.json_response({"url": f"http://127.0.0.2:{server.port}/a"})
        with pytest.raises(Unsendable) as caught:
            _ = [chunk async for chunk in MEDIA.stream_media(ACCOUNT)]
        assert caught.value.code == URL_NOT_ALLOWED
        return MediaUploadResult(success=True)

    assert within(hook, own=True)[1].asked == [f"/v23.0/{ACCOUNT}"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-Type": "text/html"}, "MIME_TYPE_UNSUPPORTED"),
        ({"Content-Type": "image/jpeg", "Content-Length": str(6 * 1024 * 1024)}, "FILE_SIZE_EXCEEDED"),
        ({"Content-Type": "image/jpeg", "Content-Encoding": "gzip"}, "DOWNLOAD_FAILED"),
    ],
)
def test_what_can_not_be_sent_anyway_is_not_read(headers: dict[str, str], code: str) -> None:
    """A page, a film or a bomb of zeros would be read into memory before it is refused."""

    async def hook(server: Server) -> MediaUploadResult:
        server.answers["/big"] = lambda: web.Response(body=bytes(6 * 1024 * 1024), headers=headers)
        return await MEDIA.upload_media_from_url(f"http://127.0.0.1:{server.port}/big")

    assert within(hook, networks=LOOPBACK)[0].error_code == code
