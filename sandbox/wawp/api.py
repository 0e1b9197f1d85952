"""`/v2/send/…`, `/v2/messages/…` and the rate policy of Wawp: credentials in the body, some errors with status 200."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import quote

from aiohttp import web

from pipeline.sandbox.config import SandboxAccount
from pipeline.sandbox.core import Sandbox
from pipeline.sandbox.provider import UserMessage
from pipeline.sandbox.status_queue import Update
from pipeline.sandbox.waha import webhooks
from pipeline.sandbox.waha.endpoints import Endpoint
from pipeline.sandbox.waha.gateway import Gateway, GatewayError, json_object
from pipeline.sandbox.wawp.policies import POLICIES, rate_policy
from pipeline.sandbox.webhooks import SignedWebhook

_RATE_POLICY: Final = "/v2/session/rate-limit"
_CREDENTIALS: Final = ("instance_id", "access_token")
_FILE: Final = ("chatId", "file[url]|file[data]", "file[filename]", "file[mimetype]")
_CODES: Final = {
    401: "missing_access_token",
    403: "subscription_required",
    404: "invalid_session",
    502: "wawp_upstream_error",
}
_LIMIT: Final = {"status": False, "message": "You have reached the sending limit of your rate policy."}


class WawpApi(Gateway):
    """Wawp of one sandbox."""

    name: ClassVar[str] = "wawp"
    endpoints: ClassVar[Sequence[Endpoint]] = (
        Endpoint("POST", "/v2/send/text", "text", ("chatId", "message")),
        Endpoint("POST", "/v2/send/image", "image", (*_FILE, "caption")),
        Endpoint("POST", "/v2/send/pdf", "document", (*_FILE, "caption")),
        Endpoint("POST", "/v2/send/voice", "audio", _FILE),
        Endpoint("POST", "/v2/send/video", "video", _FILE),
        Endpoint("POST", "/v2/send/location", "location", ("chatId", "latitude", "longitude")),
        Endpoint("POST", "/v2/send/contact", "contacts", ("chatId", "contacts")),
        Endpoint("POST", "/v2/send/list", "list", ("chatId", "message")),
        Endpoint("POST", "/v2/send/poll", "poll", ("chatId", "poll")),
        Endpoint("POST", "/v2/send/seen", "read", ("chatId", "messageIds")),
        Endpoint("POST", "/v2/send/start-typing", "typing", ("chatId",)),
        Endpoint("POST", "/v2/send/stop-typing", "typing", ("chatId",)),
        Endpoint("PUT", "/v2/send/reaction", "reaction", ("chatId", "messageId")),
        Endpoint("PUT", "/v2/messages/edit", "edit", ("chatId", "messageId", "text")),
        Endpoint("DELETE", "/v2/messages/delete", "revoke", ("chatId", "messageId")),
    )

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self._slugs: dict[str, str] = {}
        for account in self.accounts.values():
            self._choose(account, account.policy)

    def routes(self) -> Iterable[web.RouteDef]:
        yield from super().routes()
        yield web.get(_RATE_POLICY, self.rate_policy)
        yield web.patch(_RATE_POLICY, self.change_rate_policy)

    async def rate_policy(self, request: web.Request) -> web.StreamResponse:
        return self.explained(lambda: self._policy(self.authorised(request, dict(request.query))))

    async def change_rate_policy(self, request: web.Request) -> web.StreamResponse:
        body = json_object(await request.read())
        return self.explained(lambda: self._change_policy(self.authorised(request, body), body.get("policy_slug")))

    def authorised(self, request: web.Request, body: dict[str, Any]) -> SandboxAccount:
        given = str(body.get("access_token") or "").encode(errors="surrogatepass")
        known = [each for each in self.accounts.values() if hmac.compare_digest(given, each.token.encode())]
        if not known:
            raise _error(401, "Missing access_token" if not given else "Invalid access_token")
        account = self.accounts.get(str(body.get("instance_id")))
        if account is None or account not in known:
            raise _error(404, "Session not found")
        return account

    def content(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name not in _CREDENTIALS}

    def incomplete(self, fields: Sequence[str]) -> GatewayError:
        return GatewayError(400, {"code": "missing_param", "message": f"Missing: {', '.join(fields)}"})

    def rejection(self, code: int, http: int | None) -> GatewayError:
        """Return the error of a broken limit, with status 200 as users report, or of a fault with its own status."""
        if code == 429:
            return GatewayError(http or 200, _LIMIT)
        status = http or (code if 400 <= code <= 599 else 500)
        return _error(status, f"the sandbox was told to answer with {code}")

    def message_webhook(self, account: SandboxAccount, message: UserMessage) -> tuple[list[str], SignedWebhook]:
        message_id, event, payload = webhooks.users(account, message)
        return [message_id], _webhook(account, event, _as_on_its_page(event, payload))

    def status_webhook(self, updates: Sequence[Update]) -> SignedWebhook:
        (update,) = updates
        told = webhooks.ack(update)
        payload = {"id": told["id"], "ack": told["ack"], "ackName": told["ackName"], "chatId": update.fields["chat"]}
        return _webhook(update.account, "message.ack", payload)

    def _change_policy(self, account: SandboxAccount, slug: object) -> dict[str, Any]:
        if not slug:
            raise self.incomplete(["policy_slug"])
        if not isinstance(slug, str) or slug not in POLICIES:
            raise _error(403, "This policy needs a subscription")
        self._choose(account, slug)
        return self._policy(account)

    def _choose(self, account: SandboxAccount, slug: str) -> None:
        self._slugs[account.id] = slug
        self._sandbox.set_plan(account, POLICIES[slug])

    def _policy(self, account: SandboxAccount) -> dict[str, Any]:
        return rate_policy(self._slugs[account.id], self._sandbox.limiter.limits(self.name, account.id))


def _as_on_its_page(event: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Simplify reactions and deletions to the form that Wawp documents."""
    if event == "message.reaction":
        told = payload["reaction"]
        named = {"id": payload["id"], "senderId": payload["from"]}
        return named | {"reaction": told["text"], "messageId": told["messageId"]}
    if event == "message.revoked":
        return {"id": payload["before"]["id"], "revokedBy": payload["from"]}
    return payload


def _webhook(account: SandboxAccount, event: str, payload: dict[str, Any]) -> SignedWebhook:
    """Return a webhook. It is not signed: the secret is a part of the URL."""
    path = f"/webhooks/wawp/{webhooks.tenant(account)}?secret={quote(account.webhook_secret, safe='')}"
    return SignedWebhook(path, {"Content-Type": "application/json"}, webhooks.enveloped(account, event, payload))


def _error(status: int, message: str) -> GatewayError:
    return GatewayError(status, {"code": _CODES.get(status, "error"), "message": message})
