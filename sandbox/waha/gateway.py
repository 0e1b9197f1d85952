"""Common parts of WAHA and Wawp: admit a message, record it, and answer or keep silent."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import ClassVar, Final

import orjson
from aiohttp import web

from pipeline.sandbox.config import SandboxAccount
from pipeline.sandbox.core import Codes, MessageRejected, Sandbox
from pipeline.sandbox.errors import NotSupported
from pipeline.sandbox.ledger import ReadMark, SentMessage
from pipeline.sandbox.provider import UserMessage
from pipeline.sandbox.status_queue import Update
from pipeline.sandbox.types import JsonObject
from pipeline.sandbox.waha import webhooks
from pipeline.sandbox.waha.endpoints import TEXT_LIMIT, Endpoint, lacking
from pipeline.sandbox.waha.ids import contact, jid, outbound_id
from pipeline.sandbox.webhooks import IngressClient, SignedWebhook

CODES: Final = Codes(over=429, unreachable=404)


class GatewayError(Exception):
    """A request that the gateway rejects, with its own body."""

    def __init__(self, http: int, body: JsonObject) -> None:
        super().__init__(http)
        self.http = http
        self.body = body


class _Silence(Exception):
    """The message was accepted, but its sender gets no answer."""

    def __init__(self, hold: float) -> None:
        super().__init__(hold)
        self.hold = hold


class Gateway(ABC):
    """One gateway of one sandbox."""

    name: ClassVar[str]
    endpoints: ClassVar[Sequence[Endpoint]]

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.accounts = {each.id: each for each in sandbox.config.accounts if each.provider == self.name}

    @abstractmethod
    def authorised(self, request: web.Request, body: JsonObject) -> SandboxAccount:
        """Return the account of a call. Raise `GatewayError`."""

    @abstractmethod
    def content(self, request: web.Request, body: JsonObject) -> JsonObject:
        """Return the content of a call: its body without credentials, and the parameters of its path."""

    @abstractmethod
    def incomplete(self, fields: Sequence[str]) -> GatewayError:
        """Return the error of a call without these fields."""

    @abstractmethod
    def rejection(self, code: int, http: int | None) -> GatewayError:
        """Return the error of a broken limit or a fault."""

    @abstractmethod
    def message_webhook(self, account: SandboxAccount, message: UserMessage) -> tuple[list[str], SignedWebhook]: ...

    @abstractmethod
    def status_webhook(self, updates: Sequence[Update]) -> SignedWebhook: ...

    def stored(self, account: SandboxAccount, media_id: str) -> None:
        return None  # gateways have no uploads

    async def verify(self, account: SandboxAccount, ingress: IngressClient) -> bool:
        raise NotSupported(f"{self.name} has no handshake: its webhooks' URLs are taken as they are entered")

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.route(each.method, each.path, self._handler(each)) for each in self.endpoints]

    def explained(self, act: Callable[[], JsonObject]) -> web.Response:
        """Return what a call answers, or its `GatewayError`."""
        try:
            return _json(act())
        except GatewayError as error:
            return _json(error.body, error.http)

    def _handler(self, endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        return partial(self._respond, endpoint)

    async def _respond(self, endpoint: Endpoint, request: web.Request) -> web.StreamResponse:
        body = json_object(await request.read())
        try:
            answer = self.explained(lambda: self._answer(endpoint, request, body))
        except _Silence as silence:
            await self._sandbox.silence(request, silence.hold)
            return web.Response(status=500)
        await self._sandbox.delay()
        return answer

    def _answer(self, endpoint: Endpoint, request: web.Request, body: JsonObject) -> JsonObject:
        account = self.authorised(request, body)
        content = self.content(request, body)
        missing = lacking(content, endpoint.needed)
        if missing or len(str(content.get("text") or content.get("message") or "")) > TEXT_LIMIT:
            raise self.incomplete(missing or ["a shorter text"])
        chat = jid(str(content.get("chatId") or ""))
        return (
            self._act(endpoint, account, chat, content)
            if endpoint.is_action
            else self._send(endpoint, account, chat, content)
        )

    def _act(self, endpoint: Endpoint, account: SandboxAccount, chat: str, content: JsonObject) -> JsonObject:
        if endpoint.type in ("read", "typing"):
            read = (content.get("messageIds") or [""])[0]
            self._sandbox.ledger.reads.add(
                ReadMark(self.name, account.id, read, endpoint.type == "typing", time.time())
            )
        else:
            self._sandbox.ledger.sent.add(self._sent(endpoint, account, chat, content))
        return {"success": True}

    def _send(self, endpoint: Endpoint, account: SandboxAccount, chat: str, content: JsonObject) -> JsonObject:
        try:
            steps = self._sandbox.admit(account, contact(chat), None, CODES)
        except MessageRejected as rejected:
            raise self.rejection(rejected.code, rejected.http) from None
        sent = self._sent(endpoint, account, chat, content)
        self._sandbox.accept(account, sent, steps, {"chat": chat})
        silence = self._sandbox.faults.silence(account.id, contact(chat))
        if silence:
            raise _Silence(silence.hold)
        return webhooks.own_message(account, sent.message_id, chat, content)

    def _sent(self, endpoint: Endpoint, account: SandboxAccount, chat: str, content: JsonObject) -> SentMessage:
        body = orjson.dumps(content).decode()
        return SentMessage(
            self.name, account.id, contact(chat), endpoint.type, body, outbound_id(chat), None, time.time()
        )


def json_object(raw: bytes) -> JsonObject:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _json(body: JsonObject, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, headers={"Content-Type": "application/json"})
