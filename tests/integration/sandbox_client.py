"""Both sides of a sandbox over real HTTP: a client, and an ingress that checks signatures."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientSession, ClientTimeout, web

from pipeline.sandbox.config import SAMPLE_ACCOUNTS, SandboxConfig
from pipeline.sandbox.server import served
from pipeline.sandbox.statuses import StatusStep
from tests.support.waiting import HANG

ACCOUNT = SAMPLE_ACCOUNTS[0]
MESSAGES = f"/v23.0/{ACCOUNT.id}/messages"
TOKEN = {"Authorization": "Bearer sandbox-token"}
QUICK = tuple(
    StatusStep(status=status, after=after) for status, after in [("sent", 0), ("delivered", 0.01), ("read", 0.02)]
)


class Ingress:
    """Takes webhooks with a good signature. `answers` are given first, then 200."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.refused = 0
        self.url = ""

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[None]:
        app = web.Application()
        app.add_routes([web.post("/webhooks/cloud", self._take), web.get("/webhooks/cloud", self._verify)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()

    @property
    def statuses(self) -> list[dict[str, Any]]:
        values = [change["value"] for body in self.bodies for change in orjson.loads(body)["entry"][0]["changes"]]
        return [status for value in values for status in value.get("statuses", [])]

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        wanted = "sha256=" + hmac.new(ACCOUNT.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
        assert request.headers["X-Hub-Signature-256"] == wanted
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.bodies.append(body)
        else:
            self.refused += 1
        return web.Response(status=status)

    async def _verify(self, request: web.Request) -> web.Response:
        if request.query["hub.verify_token"] != ACCOUNT.verify_token:
            return web.Response(status=403)
        return web.Response(text=request.query["hub.challenge"])


class Client:
    """Talks to one sandbox as the messenger and as its operator."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        data = None if body is None else orjson.dumps(body)
        named = {"Content-Type": "application/json"} | dict(headers or {})
        async with self.session.request(method, self.url + path, data=data, headers=named) as answer:
            return answer.status, orjson.loads(await answer.read())

    async def send(self, to: str = "15550001111", text: str = "hello", **more: object) -> tuple[int, Any]:
        body = {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": text}} | more
        return await self.call("POST", MESSAGES, body, TOKEN)

    async def get(self, name: str) -> Any:
        status, answer = await self.call("GET", f"/_sandbox/{name}")
        assert status == 200
        return answer

    async def has_sent(self) -> bool:
        return bool(await self.get("sent"))

    async def counted(self, name: str) -> bool:
        return bool((await self.get("stats"))["statuses"][name])

    async def faults(self, **asked: object) -> Any:
        status, answer = await self.call("POST", "/_sandbox/faults", asked)
        assert status == 200, answer
        return answer


@asynccontextmanager
async def sandbox(ingress_url: str = "http://127.0.0.1:9", **changes: Any) -> AsyncIterator[Client]:
    config = SandboxConfig(port=0, ingress_url=ingress_url, **({"statuses": ()} | changes))
    async with served(config) as url, ClientSession(timeout=ClientTimeout(total=HANG)) as session:
        yield Client(session, url)


def with_sandbox(test: Callable[[Client], Awaitable[None]], **changes: Any) -> None:
    async def run() -> None:
        async with sandbox(**changes) as client:
            await test(client)

    asyncio.run(run())


def with_both(test: Callable[[Client, Ingress], Awaitable[None]], *answers: int, **changes: Any) -> None:
    async def run() -> None:
        ingress = Ingress(*answers)
        async with ingress.running(), sandbox(ingress.url, **changes) as client:
            await test(client, ingress)

    asyncio.run(run())
