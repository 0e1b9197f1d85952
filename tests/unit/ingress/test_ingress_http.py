"""The ingress over HTTP, without a broker: everything that is decided before one is asked."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import pytest
from aiohttp import ClientSession

from pipeline.errors import ConfigurationError, UsageError
from pipeline.providers.base import SendAttempt, Slice, WebhookRequest
from pipeline.providers.cloud import Cloud
from pipeline.tenants import Account, Tenants, TenantsFile
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.records import ConsumedRecord
from tests.support.cloud_webhooks import signature, tenants
from tests.support.ingress_client import CLOUD, Client, ingress
from tests.support.waiting import HANG

BODY = b'{"object":"whatsapp_business_account","entry":[]}'
PAPER = "/webhooks/paper/acme"
FORGED = "sha256=" + "0" * 64
HEAD = (
    b"POST /webhooks/cloud HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"X-Hub-Signature-256: %b\r\nContent-Length: %%d\r\n\r\n" % FORGED.encode()
)
"""Of a webhook that may be authentic until its body is there."""


def run(test: Callable[[Client], Awaitable[None]], **options: object) -> None:
    async def main() -> None:
        async with ingress(**options) as client:  # type: ignore[arg-type]
            await test(client)

    asyncio.run(main())


class Paper:
    """A provider whose secret is in the query and whose tenant is in the path."""

    name = "paper"
    kinds = frozenset({CommandKind.TEXT})

    def contact(self, recipient: str) -> str:
        return recipient

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return request.query.get("secret") == "right" and request.tenant_id == "acme"

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        return [Slice("paper:1:2", "1", request.body)]

    def parse(self, record: ConsumedRecord) -> Iterable[ParsedEvent]:
        return []

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> SendAttempt:
        raise NotImplementedError


def _with_paper() -> dict[str, object]:
    accounts = [{"provider": "paper", "id": "1", "token": "t", "webhook_secrets": ["right"]}]
    content = {"tenants": [{"id": "acme", "accounts": accounts}, {"id": "globex"}]}
    return {
        "providers": {"cloud": Cloud(), "paper": Paper()},
        "owners": Tenants(TenantsFile.model_validate(content)),
    }


def test_a_signed_webhook_without_a_broker_is_503_at_once() -> None:
    """The provider would wait, and then think that its webhook was taken."""

    async def test(client: Client) -> None:
        status, text, headers = await client.post(BODY, x_hub_signature_256=signature(BODY))
        assert (status, int(headers["Retry-After"]) > 0) == (503, True)
        assert json.loads(text)["error"]

    run(test, ingress_deadline=2 * HANG)


@pytest.mark.parametrize("header", ["", "sha256=" + "0" * 64, "sha256=\xe9", signature(BODY)[:-1]], ids=range(4))
def test_without_its_signature_it_is_401(header: str) -> None:
    """Anybody could write to a tenant's customers; or a prober would see a 500."""

    async def test(client: Client) -> None:
        status, text, _ = await client.post(BODY, **({"x_hub_signature_256": header} if header else {}))
        assert status == 401
        assert json.loads(text) == {"error": "bad or missing secret"}

    run(test)


def test_a_body_that_was_cut_is_401() -> None:
    """Half a webhook would be taken for a whole one."""

    async def test(client: Client) -> None:
        assert (await client.post(BODY[:-1], x_hub_signature_256=signature(BODY)))[0] == 401

    run(test)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_what_is_not_json_by_its_type_is_415(content_type: str) -> None:
    """A form posted by a browser would be read as a webhook."""

    async def test(client: Client) -> None:
        headers = {"Content-Type": content_type, "X-Hub-Signature-256": signature(BODY)}
        async with client.session.post(CLOUD, data=BODY, headers=headers) as response:
            assert response.status == 415

    run(test)


def test_parameters_of_the_type_do_no_harm() -> None:
    """A provider that names its charset would be refused."""

    async def test(client: Client) -> None:
        headers = {"Content-Type": "application/json; charset=utf-8", "X-Hub-Signature-256": signature(BODY)}
        async with client.session.post(CLOUD, data=BODY, headers=headers) as response:
            assert response.status == 503

    run(test)


def test_a_body_over_the_limit_is_413_before_it_is_read() -> None:
    """One caller could fill the memory."""

    async def test(client: Client) -> None:
        assert (await client.post(b"x" * 101))[0] == 413
        assert (await client.post(b"x" * 100))[0] == 401

    run(test, body_limit=100)


def test_a_body_without_a_length_is_413_while_it_is_read() -> None:
    """A chunked body would be read without end."""

    async def chunks(count: int) -> object:
        for _ in range(count):
            yield b"x" * 10

    async def test(client: Client) -> None:
        assert (await client.post(chunks(1000), x_hub_signature_256=FORGED))[0] == 413
        assert (await client.post(chunks(5), x_hub_signature_256=FORGED))[0] == 401

    run(test, body_limit=100)


def test_a_compressed_body_is_not_unpacked() -> None:
    """A small body could become a huge one, and what is signed is not what would be read."""

    async def test(client: Client) -> None:
        packed = gzip.compress(BODY)
        assert (await client.post(packed, content_encoding="gzip", x_hub_signature_256=signature(BODY)))[0] == 401
        assert (await client.post(packed, content_encoding="gzip", x_hub_signature_256=signature(packed)))[0] == 503

    run(test)


@pytest.mark.parametrize(
    "path",
    ["/", "/webhooks", "/webhooks/", "/webhooks/cloud/acme", "/webhooks/nobody/acme", "/webhooks/paper",
     "/webhooks/paper/acme/x", "/webhooks/paper/acme//", "/webhooks//cloud"],
)  # fmt: skip
def test_unknown_paths_are_404(path: str) -> None:
    """A wrong callback URL would look like a working one."""

    async def test(client: Client) -> None:
        status, text, _ = await client.post(BODY, path + "?secret=right")
        assert (status, json.loads(text)) == (404, {"error": "there is nothing here"})

    run(test, **_with_paper())


@pytest.mark.parametrize("tenant", ["nobody", "globex", "%00", "%ff", "a%2fb", "x" * 1000, "ACME"])
def test_a_tenant_that_is_not_there_is_answered_as_a_wrong_secret(tenant: str) -> None:
    """A stranger could find out which companies are customers."""

    async def test(client: Client) -> None:
        status, text, headers = await client.post(BODY, f"/webhooks/paper/{tenant}?secret=wrong")
        assert (status, json.loads(text)) == (401, {"error": "bad or missing secret"})
        known = (await client.post(BODY, f"{PAPER}?secret=wrong"))[2]
        assert {**headers, "Date": ""} == {**known, "Date": ""}

    run(test, **_with_paper())


@pytest.mark.parametrize("path", [CLOUD, PAPER])
def test_a_slash_at_the_end_of_a_path_does_no_harm(path: str) -> None:
    """Whoever types the callback URL as a folder would get no webhook, and be told nothing."""

    async def test(client: Client) -> None:
        assert (await client.post(BODY, path + "/", x_hub_signature_256="no"))[0] == 401
        assert (await client.post(BODY, PAPER + "/?secret=right"))[0] == 503
        assert (await client.get(CLOUD + "/"))[0] == 401

    run(test, **_with_paper())


@pytest.mark.parametrize(("query", "status"), [("?secret=right", 503), ("?secret=wrong", 401), ("", 401)])
def test_a_provider_with_its_tenant_in_the_path(query: str, status: int) -> None:
    """Wasender's and Wawp's webhooks would have no door."""

    async def test(client: Client) -> None:
        assert (await client.post(BODY, PAPER + query))[0] == status

    run(test, **_with_paper())


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("hub.mode=subscribe&hub.challenge=115&hub.verify_token=verify-me", (200, "115")),
        ("hub.mode=subscribe&hub.challenge=115&hub.verify_token=wrong", (401, '{"error":"bad or missing secret"}\n')),
        ("hub.challenge=115&hub.verify_token=verify-me", (401, '{"error":"bad or missing secret"}\n')),
        ("", (401, '{"error":"bad or missing secret"}\n')),
    ],
)
def test_metas_handshake(query: str, answer: tuple[int, str]) -> None:
    """The callback URL could not be registered, or a stranger could register it."""

    async def test(client: Client) -> None:
        assert await client.get(f"{CLOUD}?{query}") == answer

    run(test)


def test_the_challenge_is_plain_text() -> None:
    """A challenge with markup in it would be a page on our domain."""

    async def test(client: Client) -> None:
        query = "hub.mode=subscribe&hub.challenge=<script>&hub.verify_token=verify-me"
        async with client.session.get(f"{CLOUD}?{query}") as response:
            assert response.content_type == "text/plain"
            assert response.headers["X-Content-Type-Options"] == "nosniff"

    run(test)


def test_it_lives_but_is_not_ready_without_its_broker() -> None:
    """The platform would send webhooks to it, or restart it because of somebody else's trouble."""

    async def test(client: Client) -> None:
        assert (await client.get("/healthz"))[0] == 200
        assert (await client.get("/readyz"))[0] == 503

    run(test)


def test_it_counts_its_answers() -> None:
    """Nobody would see that webhooks are being refused."""

    async def test(client: Client) -> None:
        await client.post(BODY)
        await client.post(BODY, x_hub_signature_256=signature(BODY))
        text = (await client.get("/metrics"))[1]
        for answer in ("401", "503"):
            assert f'pipeline_webhooks_total{{answer="{answer}",provider="cloud"}}' in text

    run(test)


def test_a_caller_that_stops_in_the_middle_is_let_go_in_time() -> None:
    """A few slow callers would hold every connection."""

    async def test(client: Client) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.ingress.port)
        writer.write(HEAD % 100 + b"half of it")
        answer = await asyncio.wait_for(reader.readline(), HANG)
        assert answer.startswith(b"HTTP/1.1 503")
        writer.close()

    run(test, ingress_deadline=0.3)


def test_a_caller_that_goes_away_in_the_middle_is_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    """Every lost mobile connection would be an error in the logs."""

    async def test(client: Client) -> None:
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", client.ingress.port)
            writer.write(HEAD % 100 + b"half of it")
            await writer.drain()
            writer.transport.abort()
        assert (await client.post(BODY))[0] == 401

    run(test)
    assert not [record for record in caplog.records if record.name.startswith(("aiohttp", "asyncio"))]


@pytest.mark.parametrize("request_line", [b"BREW /x HTTP/1.1", b"POST /x HTTP/1.1\r\nAuthorization: " + b"s" * 20_000])
def test_what_is_no_http_is_400_and_not_in_the_log(request_line: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A secret that was sent badly would be in the log, and whoever sends garbage would fill it with tracebacks."""

    async def test(client: Client) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.ingress.port)
        writer.write(request_line + b"\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"400"
        writer.close()
        await writer.wait_closed()

    run(test)
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


def test_more_than_it_may_hold_is_503() -> None:
    """A flood would end the process and every webhook in it."""

    async def test(client: Client) -> None:
        async def slow() -> object:
            yield b"x"
            await held.wait()

        held = asyncio.Event()
        first = asyncio.create_task(client.post(slow(), x_hub_signature_256=FORGED))
        for _ in range(1000):
            if (await client.post(b"x"))[0] == 503:
                break
        else:
            pytest.fail("never refused")
        held.set()
        assert (await first)[0] == 401
        assert (await client.post(b"x"))[0] == 401

    run(test, body_limit=100, max_in_flight=100)


def test_without_secrets_it_does_not_listen() -> None:
    """It would answer 401 to everything, and nobody would know why."""
    owners = Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme"}]}))
    with pytest.raises(ConfigurationError, match="cloud_apps"):
        run(lambda _: asyncio.sleep(0), owners=owners)


def test_a_port_that_is_taken_is_one_line() -> None:
    """A person would read a traceback to learn that something else listens there."""

    async def main() -> None:
        from pipeline.ingress.server import serving
        from pipeline.settings import Settings

        with socket.create_server(("127.0.0.1", 0)) as taken:
            settings = Settings(ingress_port=taken.getsockname()[1], kafka="127.0.0.1:1")
            async with serving(settings, tenants()):
                pass

    with pytest.raises(UsageError, match="choose another with --port"):
        asyncio.run(main())
