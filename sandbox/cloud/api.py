"""`POST /{version}/{phone_number_id}/messages` as the Graph API answers it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson
from aiohttp import web

from sandbox.cloud import webhooks
from sandbox.cloud.errors import GraphError, bad_token, known, no_such_object
from sandbox.cloud.ids import outbound_id
from sandbox.cloud.validation import Recipient, Send, parsed, read_mark, validated
from sandbox.config import Account
from sandbox.core import Codes, Refused, Sandbox
from sandbox.errors import SandboxError
from sandbox.ledger import Read, Sent
from sandbox.outbox import Update
from sandbox.provider import UserMessage
from sandbox.webhooks import IngressClient, Webhook

CODES: Final = Codes(messages_per_second=130429, pair=131056, unreachable=131026)
_SUCCESS: Final = b'{"success":true}'


class _Silence(Exception):
    """The message was accepted, and its sender is not to hear of it."""

    def __init__(self, hold: float) -> None:
        super().__init__(hold)
        self.hold = hold


class GraphApi:
    """The Cloud API of one sandbox."""

    name: Final = "cloud"

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._numbers = {each.id: each for each in sandbox.config.accounts if each.provider == self.name}
        self._tokens = {_digest(each.token.encode()) for each in self._numbers.values()}

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.post(r"/{version:v\d+\.\d+}/{phone_number_id}/messages", self.messages)]

    async def messages(self, request: web.Request) -> web.StreamResponse:
        try:
            answer = _json(self._answer(request, await request.read()))
        except GraphError as error:
            answer = _json(error.body(), error.http)
        except _Silence as silence:
            await self._sandbox.silence(request, silence.hold)
            return web.Response(status=500)
        if self._sandbox.faults.current.latency:
            await asyncio.sleep(self._sandbox.faults.current.latency)
        return answer

    def message_webhook(self, account: Account, message: UserMessage) -> tuple[list[str], Webhook]:
        return webhooks.message_webhook(account, message)

    def status_webhook(self, updates: Sequence[Update]) -> Webhook:
        return webhooks.status_webhook(updates)

    async def verify(self, account: Account, ingress: IngressClient) -> bool:
        """Does what Meta does when a callback URL is entered: the challenge must come back as it is."""
        if account.verify_token is None:
            raise SandboxError(f"account {account.id} has no verify_token: add it to the accounts file")
        challenge = str(secrets.randbelow(10**10))
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": account.verify_token}
        return await ingress.get(webhooks.PATH, query) == (200, challenge)

    def _answer(self, request: web.Request, raw: bytes) -> bytes:
        account = self._authorised(request)
        body = parsed(raw)
        return self._mark_read(account, body) if "status" in body else self._send(account, body)

    def _authorised(self, request: web.Request) -> Account:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip().encode(errors="surrogateescape")
        number = request.match_info["phone_number_id"]
        account = self._numbers.get(number)
        if scheme.lower() == "bearer" and account and hmac.compare_digest(given, account.token.encode()):
            return account
        # A token that is good elsewhere only lacks the permission for this number.
        if scheme.lower() == "bearer" and _digest(given) in self._tokens:
            raise no_such_object(number)
        raise bad_token()

    def _mark_read(self, account: Account, body: dict[str, Any]) -> bytes:
        message_id, typing = read_mark(body)
        self._sandbox.ledger.reads.add(Read(self.name, account.id, message_id, typing, time.time()))
        return _SUCCESS

    def _send(self, account: Account, body: dict[str, Any]) -> bytes:
        send = validated(body)
        if send.to.id == account.display_phone_number:
            raise known(131021)
        try:
            steps = self._sandbox.admit(account, send.to.id, send.command_id, CODES)
        except Refused as refused:
            raise known(refused.code, http=refused.http) from None
        sent = self._sent(account, send)
        self._sandbox.accept(account, sent, steps, webhooks.status_fields(send))
        silence = self._sandbox.faults.silence(account.id, send.to.id)
        if silence:
            raise _Silence(silence.hold)
        return _accepted(send, sent.message_id)

    def _sent(self, account: Account, send: Send) -> Sent:
        # What orjson returns holds on to a buffer of some 4 kB, too much to keep a million of. The copy does not.
        content = orjson.dumps(send.content).decode()
        message_id = outbound_id(send.to.id)
        return Sent(self.name, account.id, send.to.id, send.type, content, message_id, send.command_id, time.time())


def _accepted(send: Send, message_id: str) -> bytes:
    message = {"id": message_id}
    if send.type == "template":
        message["message_status"] = "accepted"
    return orjson.dumps({"messaging_product": "whatsapp", "contacts": [_contact(send.to)], "messages": [message]})


def _contact(to: Recipient) -> dict[str, str]:
    return {"input": to.given, "user_id" if to.kind == "user" else "wa_id": to.id}


def _digest(token: bytes) -> bytes:
    """Digests can be looked up in a set without telling by the time taken how much of a token is right."""
    return hashlib.sha256(token).digest()


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, headers={"Content-Type": "application/json; charset=UTF-8"})
