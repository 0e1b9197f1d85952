"""`/api/send-message` and related endpoints of Wasender."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import count
from typing import Final

import orjson
from aiohttp import web

from pipeline.sandbox.config import SandboxAccount
from pipeline.sandbox.core import Codes, MessageRejected, Plan, Sandbox
from pipeline.sandbox.errors import NotSupported
from pipeline.sandbox.ledger import ReadMark, SentMessage, StoredFile
from pipeline.sandbox.provider import UserMessage
from pipeline.sandbox.status_queue import Update
from pipeline.sandbox.types import JsonObject
from pipeline.sandbox.wasender import webhooks
from pipeline.sandbox.wasender.errors import ApiError, invalid, over_limit
from pipeline.sandbox.wasender.limits import PLANS, rate_limit_headers, words
from pipeline.sandbox.wasender.validation import WasenderSend, contact, validated
from pipeline.sandbox.webhooks import IngressClient, SignedWebhook

CODES: Final = Codes(over=429, unreachable=422)

Endpoint = Callable[[web.Request, SandboxAccount, JsonObject], JsonObject]


class _Silence(Exception):
    """The message was accepted, but its sender gets no answer."""

    def __init__(self, hold: float) -> None:
        super().__init__(hold)
        self.hold = hold


class WasenderApi:
    """Wasender of one sandbox; its accounts are sessions."""

    name: Final = "wasender"

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._accounts = [each for each in sandbox.config.accounts if each.provider == self.name]
        for each in self._accounts:
            sandbox.set_plan(each, Plan(f"plan: {each.plan}", PLANS[each.plan]))
        self._numbers = count(100_000)
        self._sent: dict[str, SentMessage] = {}

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post("/api/send-message", self._endpoint(self._send)),
            web.put(r"/api/messages/{number:\d+}", self._endpoint(self._edit)),
            web.delete(r"/api/messages/{number:\d+}", self._endpoint(self._delete)),
            web.post("/api/messages/read", self._endpoint(self._read)),
            web.post("/api/send-presence-update", self._endpoint(self._presence)),
            web.post("/api/upload", self._endpoint(self._upload)),
            web.get("/api/pn-from-lid/{lid}", self._endpoint(self._number_of)),
            web.get("/api/status", self._endpoint(lambda *_: {"status": "connected"})),
        ]

    def message_webhook(self, account: SandboxAccount, message: UserMessage) -> tuple[list[str], SignedWebhook]:
        return webhooks.message_webhook(account, message)

    def status_webhook(self, updates: Sequence[Update]) -> SignedWebhook:
        (update,) = updates
        return webhooks.status_webhook(update)

    def stored(self, account: SandboxAccount, media_id: str) -> None:
        return None  # the sandbox keeps no file of Wasender's upload

    async def verify(self, account: SandboxAccount, ingress: IngressClient) -> bool:
        raise NotSupported("wasender has no handshake: its webhooks' URLs are taken as they are entered")

    def _endpoint(self, act: Endpoint) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def respond(request: web.Request) -> web.StreamResponse:
            account = self._authorised(request)
            try:
                if account is None:
                    raise ApiError(401)
                answer, status = act(request, account, _object(await request.read())), 200
            except ApiError as error:
                answer, status = error.body, error.http
            except _Silence as silence:
                await self._sandbox.silence(request, silence.hold)
                return web.Response(status=500)
            await self._sandbox.delay()
            return _json(answer, status, self._usage(account) if account else {})

        return respond

    def _authorised(self, request: web.Request) -> SandboxAccount | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip().encode(errors="surrogateescape")
        known = [each for each in self._accounts if hmac.compare_digest(given, each.token.encode())]
        return known[0] if known and scheme.lower() == "bearer" else None

    def _send(self, _: web.Request, account: SandboxAccount, body: JsonObject) -> JsonObject:
        send = validated(body)
        to = contact(send.chat)
        try:
            steps = self._sandbox.admit(account, to, None, CODES)
        except MessageRejected as rejected:
            raise _rejection(rejected, account.plan) from None
        sent = self._entry(account, send, str(next(self._numbers)))
        self._remember(sent)
        self._sandbox.accept(account, sent, steps, {"chat": send.chat, "id": webhooks.new_id()})
        silence = self._sandbox.faults.silence(account.id, to)
        if silence:
            raise _Silence(silence.hold)
        data = {"msgId": int(sent.message_id), "jid": body["to"], "status": "in_progress"}
        return {"success": True, "data": data}

    def _remember(self, sent: SentMessage) -> None:
        """Remember a message, so that it can be edited and deleted as long as the ledger has it."""
        self._sent[sent.message_id] = sent
        if len(self._sent) > self._sandbox.config.ledger_cap:
            del self._sent[next(iter(self._sent))]

    def _usage(self, account: SandboxAccount) -> dict[str, str]:
        """Return the headers of every response."""
        usage = self._sandbox.limiter.usage(self.name, account.id, time.monotonic())
        return rate_limit_headers(usage) if usage else {}

    def _edit(self, request: web.Request, account: SandboxAccount, body: JsonObject) -> JsonObject:
        if not body.get("text"):
            raise invalid({"text": "The text field is required."})
        return self._change(request, account, "edit", body)

    def _delete(self, request: web.Request, account: SandboxAccount, _: JsonObject) -> JsonObject:
        return self._change(request, account, "revoke", {})

    def _change(self, request: web.Request, account: SandboxAccount, kind: str, body: JsonObject) -> JsonObject:
        sent = self._sent.get(request.match_info["number"])
        if sent is None or sent.account != account.id:
            raise ApiError(404)
        told = orjson.dumps(body | {"msgId": int(sent.message_id)}).decode()
        self._sandbox.ledger.sent.add(sent._replace(type=kind, body=told, at=time.time()))
        return {"success": True, "data": {"msgId": int(sent.message_id)}}

    def _read(self, _: web.Request, account: SandboxAccount, body: JsonObject) -> JsonObject:
        key = body.get("key")
        if not isinstance(key, dict) or not key.get("id") or not key.get("remoteJid"):
            raise invalid({"key": "The key field is required."})
        self._sandbox.ledger.reads.add(ReadMark(self.name, account.id, key["id"], False, time.time()))
        return {"success": True}

    def _presence(self, _: web.Request, account: SandboxAccount, body: JsonObject) -> JsonObject:
        if body.get("type") not in ("composing", "recording", "paused", "available", "unavailable"):
            raise invalid({"type": "The selected type is invalid."})
        typing = body["type"] in ("composing", "recording")
        self._sandbox.ledger.reads.add(ReadMark(self.name, account.id, "", typing, time.time()))
        return {"success": True}

    def _upload(self, request: web.Request, account: SandboxAccount, body: JsonObject) -> JsonObject:
        data = body.get("base64")
        head, comma, encoded = data.partition(";base64,") if isinstance(data, str) else ("", "", "")
        try:
            content = base64.b64decode(encoded, validate=True)
        except ValueError:
            comma = ""
        if not head.startswith("data:") or not comma:
            raise invalid({"base64": "The base64 field must be a data URL."})
        name = webhooks.new_id().lower()
        row = (name, head.removeprefix("data:"), name, len(content), hashlib.sha256(content).hexdigest(), time.time())
        self._sandbox.ledger.media.add(StoredFile(self.name, account.id, *row))
        return {"success": True, "publicUrl": f"{request.scheme}://{request.host}/uploads/{name}"}

    def _number_of(self, request: web.Request, _: SandboxAccount, __: JsonObject) -> JsonObject:
        """Return the number of a linked id; in the sandbox it has the same digits."""
        digits = request.match_info["lid"].removesuffix("@lid")
        return {"success": True, "data": {"pn": f"{digits}@s.whatsapp.net"}}

    def _entry(self, account: SandboxAccount, send: WasenderSend, number: str) -> SentMessage:
        content = orjson.dumps(send.content).decode()
        return SentMessage(self.name, account.id, contact(send.chat), send.type, content, number, None, time.time())


def _rejection(rejected: MessageRejected, plan: str) -> ApiError:
    if rejected.exceeded:
        return over_limit(words(rejected.exceeded.kind, plan), rejected.exceeded.wait)
    status = rejected.http or (rejected.code if 400 <= rejected.code <= 599 else 500)
    return over_limit("Too Many Attempts.", 1) if status == CODES.over else ApiError(status)


def _object(raw: bytes) -> JsonObject:
    try:
        body = orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError:
        raise ApiError(400, "The body is not valid JSON.") from None
    return body if isinstance(body, dict) else {}


def _json(body: JsonObject, status: int, headers: dict[str, str]) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, headers={"Content-Type": "application/json", **headers})
