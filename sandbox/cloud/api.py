"""The Graph API of a WhatsApp number: messages, media, and the invitations of groups."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import orjson
from aiohttp import web

from pipeline.sandbox.cloud import webhooks
from pipeline.sandbox.cloud.errors import GraphError, bad_token, known, no_such_object
from pipeline.sandbox.cloud.ids import outbound_id
from pipeline.sandbox.cloud.media import DOWNLOADS, MediaShelf, Medium, no_medium, uploaded
from pipeline.sandbox.cloud.validation import CloudSend, Recipient, parsed, read_mark, validated
from pipeline.sandbox.config import SandboxAccount
from pipeline.sandbox.core import Codes, MessageRejected, Sandbox
from pipeline.sandbox.errors import SandboxError
from pipeline.sandbox.ledger import ReadMark, SentMessage, StoredFile
from pipeline.sandbox.limits import MessageKind
from pipeline.sandbox.provider import UserMessage
from pipeline.sandbox.status_queue import Update
from pipeline.sandbox.webhooks import IngressClient, SignedWebhook

CODES: Final = Codes(
    over=130429,
    unreachable=131026,
    limits={"pair": 131056, "messaging_tier": 131048, "service_window": 131047, "marketing_opt_out": 131050},
    upgrade=131057,
)
_SUCCESS: Final = b'{"success":true}'

Handler = Callable[[web.Request], Awaitable[web.Response]]


class _Silence(Exception):
    """The message was accepted, but its sender gets no answer."""

    def __init__(self, hold: float) -> None:
        super().__init__(hold)
        self.hold = hold


class GraphApi:
    """The Cloud API of one sandbox."""

    name: Final = "cloud"

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._numbers = {each.id: each for each in sandbox.config.accounts if each.provider == self.name}
        self._shelf = MediaShelf()
        self._tokens = {_digest(each.token.encode()) for each in self._numbers.values()}

    def routes(self) -> Iterable[web.RouteDef]:
        version = r"/{version:v\d+\.\d+}"
        for endpoint in ("messages", "marketing_messages"):
            yield web.post(f"{version}/{{phone_number_id}}/{endpoint}", self.messages)
        yield web.post(f"{version}/{{phone_number_id}}/media", _explained(self.upload))
        yield web.get(f"{version}/{{media_id}}", _explained(self.media_info))
        yield web.delete(f"{version}/{{media_id}}", _explained(self.delete_media))
        yield web.get(DOWNLOADS, _explained(self.download))
        yield web.get(f"{version}/{{group_id}}/invite_link", _explained(self.invite_link))

    async def messages(self, request: web.Request) -> web.StreamResponse:
        try:
            answer = _json(self._answer(request, await request.read()))
        except GraphError as error:
            answer = _json(error.body(), error.http)
        except _Silence as silence:
            await self._sandbox.silence(request, silence.hold)
            return web.Response(status=500)
        await self._sandbox.delay()
        return answer

    async def upload(self, request: web.Request) -> web.Response:
        account = self._authorised(request)
        medium = await uploaded(request, account.id)
        media_id = self._shelf.add(medium)
        row = (media_id, medium.mime_type, medium.filename, len(medium.content), medium.sha256, time.time())
        self._sandbox.ledger.media.add(StoredFile(self.name, account.id, *row))
        return _json(orjson.dumps({"id": media_id}))

    async def media_info(self, request: web.Request) -> web.Response:
        media_id, medium = self._own_medium(request, request.match_info["media_id"], "get")
        return _json(orjson.dumps(self._shelf.info(media_id, medium, str(request.url.origin()))))

    async def delete_media(self, request: web.Request) -> web.Response:
        self._shelf.remove(self._own_medium(request, request.match_info["media_id"], "delete")[0])
        return _json(_SUCCESS)

    async def download(self, request: web.Request) -> web.Response:
        _, medium = self._own_medium(request, request.query.get("mid", ""), "get")
        return web.Response(body=medium.content, headers={"Content-Type": medium.mime_type})

    async def invite_link(self, request: web.Request) -> web.Response:
        self._known_token(request)
        code = hashlib.sha256(request.match_info["group_id"].encode()).hexdigest()[:22]
        link = f"https://chat.whatsapp.com/{code}"
        return _json(orjson.dumps({"messaging_product": "whatsapp", "invite_link": link}))

    def message_webhook(self, account: SandboxAccount, message: UserMessage) -> tuple[list[str], SignedWebhook]:
        return webhooks.message_webhook(account, message)

    def status_webhook(self, updates: Sequence[Update]) -> SignedWebhook:
        return webhooks.status_webhook(updates)

    def stored(self, account: SandboxAccount, media_id: str) -> tuple[bytes, str] | None:
        found = self._shelf.get(media_id, account.id)
        return found and (found.content, found.mime_type)

    async def verify(self, account: SandboxAccount, ingress: IngressClient) -> bool:
        """Verify a callback URL as Meta does: the challenge must come back unchanged."""
        if account.verify_token is None:
            raise SandboxError(f"account {account.id} has no verify_token: add it to the accounts file")
        challenge = str(secrets.randbelow(10**10))
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": account.verify_token}
        return await ingress.get(webhooks.PATH, query) == (200, challenge)

    def _answer(self, request: web.Request, raw: bytes) -> bytes:
        account = self._authorised(request)
        body = parsed(raw)
        if "status" in body:
            return self._mark_read(account, body)
        return self._send(account, body, marketing=request.path.endswith("/marketing_messages"))

    def _authorised(self, request: web.Request) -> SandboxAccount:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip().encode(errors="surrogateescape")
        number = request.match_info["phone_number_id"]
        account = self._numbers.get(number)
        if scheme.lower() == "bearer" and account and hmac.compare_digest(given, account.token.encode()):
            return account
        # A token that is valid for another number lacks the permission for this one.
        if scheme.lower() == "bearer" and _digest(given) in self._tokens:
            raise no_such_object(number)
        raise bad_token()

    def _known_token(self, request: web.Request) -> SandboxAccount:
        """Return the account of the token of a call that names no number."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = _digest(token.strip().encode(errors="surrogateescape"))
        owner = next((each for each in self._numbers.values() if _digest(each.token.encode()) == given), None)
        if scheme.lower() != "bearer" or owner is None:
            raise bad_token()
        return owner

    def _own_medium(self, request: web.Request, media_id: str, verb: str) -> tuple[str, Medium]:
        """Return a medium of a number that the token is valid for."""
        token = self._known_token(request).token
        medium = self._shelf.get(media_id)
        if medium is None or self._numbers[medium.account].token != token:
            raise no_medium(media_id, verb)
        return media_id, medium

    def _mark_read(self, account: SandboxAccount, body: dict[str, Any]) -> bytes:
        message_id, typing = read_mark(body)
        self._sandbox.ledger.reads.add(ReadMark(self.name, account.id, message_id, typing, time.time()))
        return _SUCCESS

    def _send(self, account: SandboxAccount, body: dict[str, Any], *, marketing: bool) -> bytes:
        send = validated(body, lambda media_id: self._shelf.get(media_id, account.id) is not None)
        if send.to.id == account.display_phone_number:
            raise known(131021)
        try:
            kind = self._kind(account, send, marketing=marketing)
            steps = self._sandbox.admit(account, send.to.id, send.command_id, CODES, kind)
        except MessageRejected as rejected:
            raise known(rejected.code, http=rejected.http) from None
        sent = self._sent(account, send)
        self._sandbox.accept(account, sent, steps, webhooks.status_fields(send))
        silence = self._sandbox.faults.silence(account.id, send.to.id)
        if silence:
            raise _Silence(silence.hold)
        return _accepted(send, sent.message_id)

    def _kind(self, account: SandboxAccount, send: CloudSend, *, marketing: bool) -> MessageKind:
        if send.to.kind == "group":
            return "group"
        if send.type != "template":
            return "free_form"
        named = self._sandbox.limiter.limits(self.name, account.id).marketing_templates
        return "marketing" if marketing or send.content["name"] in named else "template"

    def _sent(self, account: SandboxAccount, send: CloudSend) -> SentMessage:
        # The bytes of orjson keep a buffer of about 4 kB alive, too much for a million messages. The copy does not.
        content = orjson.dumps(send.content).decode()
        message_id = outbound_id(send.to.id)
        return SentMessage(
            self.name, account.id, send.to.id, send.type, content, message_id, send.command_id, time.time()
        )


def _explained(handler: Handler) -> Handler:
    """Return a `GraphError` as a response."""

    async def explained(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except GraphError as error:
            return _json(error.body(), error.http)

    return explained


def _accepted(send: CloudSend, message_id: str) -> bytes:
    message = {"id": message_id}
    if send.type == "template":
        message["message_status"] = "accepted"
    return orjson.dumps({"messaging_product": "whatsapp", "contacts": [_contact(send.to)], "messages": [message]})


def _contact(to: Recipient) -> dict[str, str]:
    return {"input": to.given, "user_id" if to.kind == "user" else "wa_id": to.id}


def _digest(token: bytes) -> bytes:
    """Return the digest of a token. A lookup by digest does not leak by its time how much of a token is correct."""
    return hashlib.sha256(token).digest()


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, headers={"Content-Type": "application/json; charset=UTF-8"})
