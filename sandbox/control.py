"""The endpoints under `/_sandbox`: journals, faults, and messages of users."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import Any, Final, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.sandbox.config import SandboxAccount, first_problem
from pipeline.sandbox.core import Sandbox
from pipeline.sandbox.errors import SandboxError
from pipeline.sandbox.faults import FaultsRequest
from pipeline.sandbox.ledger import JOURNALS, ReceivedMessage, Row, StatusChange
from pipeline.sandbox.provider import UserMessage
from pipeline.sandbox.status_queue import TAKEN
from pipeline.sandbox.webhooks import SignedWebhook

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Model = TypeVar("Model", bound=BaseModel)

_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
_CHUNK: Final = 1000


class VerifyRequest(BaseModel):
    """The body of `POST /_sandbox/verify`: the account whose callback URL is checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = "cloud"
    account: str | None = None


class Control:
    """The endpoints under `/_sandbox`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> Iterable[web.RouteDef]:
        named = "/_sandbox/{journal:" + "|".join(JOURNALS) + "}"
        yield web.get(named, _explained(self.rows))
        yield web.delete(named, self.clear)
        yield web.get("/_sandbox/stats", self.stats)
        yield web.get("/_sandbox/limits", self.limits)
        yield web.post("/_sandbox/receive", _explained(self.receive))
        yield web.post("/_sandbox/verify", _explained(self.verify))
        yield web.get("/_sandbox/faults", self.faults)
        yield web.post("/_sandbox/faults", _explained(self.set_faults))
        yield web.delete("/_sandbox/faults", self.reset_faults)

    async def rows(self, request: web.Request) -> web.StreamResponse:
        """Return a journal, oldest first, narrowed by `account`, `to` and `since` (seconds since the epoch)."""
        query = request.query
        journal = self._sandbox.ledger.journal(request.match_info["journal"])
        selected = journal.select(query.get("account"), query.get("to"), _seconds(query.get("since")))
        response = web.StreamResponse(headers=_JSON)
        await response.prepare(request)
        for chunk in _array(selected):
            await response.write(chunk)
        await response.write_eof()
        return response

    async def clear(self, request: web.Request) -> web.Response:
        journal = self._sandbox.ledger.journal(request.match_info["journal"])
        counts = journal.counts()
        journal.clear()
        return _json({"cleared": counts["total"]})

    async def stats(self, _: web.Request) -> web.Response:
        sandbox = self._sandbox
        memory = {"statuses": sandbox.outbox.counts(), "pairs": sandbox.limiter.pairs.counts()}
        return _json(sandbox.ledger.counts() | memory)

    async def limits(self, _: web.Request) -> web.Response:
        """Return the limits that are enforced, account by account."""
        limits = self._sandbox.limiter.limits
        named = [(each.provider, each.id, limits(each.provider, each.id)) for each in self._sandbox.config.accounts]
        return _json([{"provider": name, "account": id_, **own.model_dump(mode="json")} for name, id_, own in named])

    async def receive(self, request: web.Request) -> web.Response:
        """Post a user's message to the ingress; return the ingress's status."""
        message = _model(UserMessage, await request.read())
        provider = self._sandbox.provider(message.provider)
        account = self._sandbox.account(message.provider, message.account)
        if message.id and len(message.contents) != 1:
            raise SandboxError("an id belongs to one text: leave id out, or give one text")
        ids, webhook = provider.message_webhook(account, message)
        self._sandbox.received(account, message)
        self._note(account, message, ids)
        answers = [await self._post(webhook, ids) for _ in range(message.repeat)]
        status = next((answer for answer in answers if answer != 200), 200)
        return _json({"status": status, "message_ids": ids, "webhook": orjson.Fragment(webhook.body)})

    def _note(self, account: SandboxAccount, message: UserMessage, ids: Sequence[str]) -> None:
        for message_id, content in zip(ids, message.contents, strict=False):
            shown = orjson.dumps(content).decode()
            row = (account.provider, account.id, message.sender, message.type, shown, message_id, time.time())
            self._sandbox.ledger.received.add(ReceivedMessage(*row))

    async def _post(self, webhook: SignedWebhook, ids: Sequence[str]) -> int:
        """Post a webhook, and note for its messages if it was taken. Raise `IngressAway`."""
        status = None
        try:
            status = await self._sandbox.ingress.post(webhook)
            return status
        finally:
            for message_id in ids:
                told = "taken" if status == TAKEN else "refused"
                self._sandbox.ledger.change_status(StatusChange(message_id, told, status))

    async def verify(self, request: web.Request) -> web.Response:
        """Run the handshake of a callback URL, as a provider does when the URL is set."""
        wanted = _model(VerifyRequest, await request.read() or b"{}")
        provider = self._sandbox.provider(wanted.provider)
        account = self._sandbox.account(wanted.provider, wanted.account)
        return _json({"verified": await provider.verify(account, self._sandbox.ingress)})

    async def faults(self, _: web.Request) -> web.Response:
        return _json(self._sandbox.faults.current.model_dump(mode="json"))

    async def set_faults(self, request: web.Request) -> web.Response:
        self._sandbox.set_faults(_model(FaultsRequest, await request.read()))
        return await self.faults(request)

    async def reset_faults(self, request: web.Request) -> web.Response:
        self._sandbox.reset_faults()
        return await self.faults(request)


def _explained(handler: Handler) -> Handler:
    """Return a `SandboxError` as a response with its line."""

    @wraps(handler)
    async def explained(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except SandboxError as error:
            return _json({"error": str(error)}, error.http)

    return explained


def _model(kind: type[Model], raw: bytes) -> Model:
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        raise SandboxError(f"the body is wrong at {first_problem(error)}") from None


def _seconds(given: str | None) -> float | None:
    try:
        return None if given is None else float(given)
    except ValueError:
        raise SandboxError("since is not a number: give seconds since the epoch") from None


def _array(rows: list[Row]) -> Iterator[bytes]:
    """Yield a JSON array in pieces, so that a million rows neither fill the memory nor block the senders."""
    yield b"["
    for start in range(0, len(rows), _CHUNK):
        piece = orjson.dumps([row.entry() for row in rows[start : start + _CHUNK]])[1:-1]
        yield b"," + piece if start else piece
    yield b"]"


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, headers=_JSON)
