"""The routes of the chat box: the page, and what it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from importlib.resources import files
from typing import Final

import orjson
from aiohttp import web

from pipeline.sandbox.chat.conversation import Conversation
from pipeline.sandbox.core import Sandbox
from pipeline.sandbox.errors import SandboxError
from pipeline.sandbox.guard import is_local
from pipeline.sandbox.types import JsonObject

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "media-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_FILES: Final = {
    "": ("chat.html", "text/html"),
    ".css": ("chat.css", "text/css"),
    ".js": ("chat.js", "text/javascript"),
}
_UNREAD: Final = 1_000
"""Events that may wait for a page. A page that is slower is sent away, and begins anew when it comes back."""
_SHOWN: Final = ("image/", "audio/", "video/")
"""Types of files that a page shows. Others, which could be pages themselves, are downloaded."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Chat:
    """The chat box of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._open: set[asyncio.Queue[object]] = set()
        sandbox.ledger.listener = self._tell

    def routes(self) -> Iterable[web.RouteDef]:
        for ending in _FILES:
            yield web.get(f"/chat{ending}", _own(_page(ending)))
        yield web.get("/_sandbox/accounts", _own(self.accounts))
        yield web.get("/_sandbox/chat", _own(self.events))
        yield web.get("/_sandbox/file", _own(self.file))

    async def accounts(self, _: web.Request) -> web.Response:
        """Return the accounts that can be written to, without their secrets."""
        found = [
            {"provider": each.provider, "account": each.id, "tenant": each.tenant, "number": each.display_phone_number}
            for each in self._sandbox.config.accounts
        ]
        return web.Response(body=orjson.dumps(found), content_type="application/json", headers=_HEADERS)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send the events of a conversation, `provider`, `account` and `from`, as they happen (Server-Sent Events)."""
        account = self._sandbox.account(request.query.get("provider", "cloud"), request.query.get("account"))
        conversation = Conversation(account.provider, account.id, request.query.get("from", ""))
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        queue: asyncio.Queue[object] = asyncio.Queue(_UNREAD)
        self._open.add(queue)
        past = [*conversation.past(self._sandbox.ledger)]
        try:
            await response.write(b"".join(map(_lines, ({"kind": "begin"}, *past))))
            while queue in self._open:
                if (next_event := conversation.event(await queue.get())) is not None:
                    await response.write(_lines(next_event))
        except ConnectionError:
            pass  # the page was closed
        finally:
            self._open.discard(queue)
        return response

    async def file(self, request: web.Request) -> web.Response:
        """Return an uploaded file of an account."""
        query = request.query
        account = self._sandbox.account(query.get("provider", "cloud"), query.get("account"))
        found = self._sandbox.provider(account.provider).stored(account, query.get("id", ""))
        if found is None:
            raise SandboxError("there is no such file: it may have been removed to make room for others")
        content, mime_type = found
        shown = {} if mime_type.startswith(_SHOWN) else {"Content-Disposition": "attachment"}
        return web.Response(body=content, headers={**_HEADERS, **shown, "Content-Type": mime_type})

    def _tell(self, row: object) -> None:
        for queue in tuple(self._open):
            if queue.full():
                self._open.discard(queue)
            else:
                queue.put_nowait(row)


def _page(ending: str) -> Handler:
    name, content_type = _FILES[ending]
    content = files(__package__).joinpath(name).read_bytes()

    async def show(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content, headers={**_HEADERS, "Content-Type": f"{content_type}; charset=utf-8"})

    return show


def _own(handler: Handler) -> Handler:
    """Refuse a request to another name than an address or `localhost`, which a site could have this machine's address
    under, and return a `SandboxError` as a response."""

    @wraps(handler)
    async def guarded(request: web.Request) -> web.StreamResponse:
        if not is_local(request.host):
            return _error(403, "the chat is for this machine: open it by 127.0.0.1 or localhost")
        try:
            return await handler(request)
        except SandboxError as error:
            return _error(error.http, str(error))

    return guarded


def _error(status: int, why: str) -> web.Response:
    return web.Response(body=orjson.dumps({"error": why}), status=status, content_type="application/json")


def _lines(event: JsonObject) -> bytes:
    return b"data: " + orjson.dumps(event) + b"\n\n"
