"""`/api/send…` and the paths of chats, as WAHA answers them. Errors are NestJS's."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from aiohttp import web

from pipeline.sandbox.config import SandboxAccount
from pipeline.sandbox.provider import UserMessage
from pipeline.sandbox.status_queue import Update
from pipeline.sandbox.waha import webhooks
from pipeline.sandbox.waha.endpoints import Endpoint
from pipeline.sandbox.waha.gateway import Gateway, GatewayError
from pipeline.sandbox.webhooks import SignedWebhook

_MESSAGE: Final = "/api/{session}/chats/{chatId}/messages/{messageId}"
_TITLES: Final = {400: "Bad Request", 401: "Unauthorized", 422: "Unprocessable Entity", 429: "Too Many Requests"}


class WahaApi(Gateway):
    """WAHA of one sandbox; its accounts are sessions of one installation."""

    name: ClassVar[str] = "waha"
    endpoints: ClassVar[Sequence[Endpoint]] = (
        Endpoint("POST", "/api/sendText", "text", ("chatId", "text")),
        Endpoint("POST", "/api/sendImage", "image", ("chatId", "file")),
        Endpoint("POST", "/api/sendFile", "document", ("chatId", "file")),
        Endpoint("POST", "/api/sendVoice", "audio", ("chatId", "file")),
        Endpoint("POST", "/api/sendVideo", "video", ("chatId", "file")),
        Endpoint("POST", "/api/sendLocation", "location", ("chatId", "latitude", "longitude")),
        Endpoint("POST", "/api/sendContactVcard", "contacts", ("chatId", "contacts")),
        Endpoint("POST", "/api/sendPoll", "poll", ("chatId", "poll")),
        Endpoint("POST", "/api/sendList", "list", ("chatId", "message")),
        Endpoint("POST", "/api/sendButtons", "buttons", ("chatId", "buttons")),
        Endpoint("POST", "/api/forwardMessage", "forward", ("chatId", "messageId")),
        Endpoint("POST", "/api/sendSeen", "read", ("chatId",)),
        Endpoint("POST", "/api/startTyping", "typing", ("chatId",)),
        Endpoint("POST", "/api/stopTyping", "typing", ("chatId",)),
        Endpoint("PUT", "/api/reaction", "reaction", ("messageId",)),
        Endpoint("PUT", _MESSAGE, "edit", ("text",)),
        Endpoint("DELETE", _MESSAGE, "revoke"),
        Endpoint("POST", _MESSAGE + "/pin", "pin", ("duration",)),
        Endpoint("POST", _MESSAGE + "/unpin", "pin"),
    )

    def authorised(self, request: web.Request, body: dict[str, Any]) -> SandboxAccount:
        given = request.headers.get("X-Api-Key", "").encode(errors="surrogateescape")
        known = [each for each in self.accounts.values() if hmac.compare_digest(given, each.token.encode())]
        if not known:
            raise _error(401, "Unauthorized")
        session = request.match_info.get("session") or body.get("session")
        account = self.accounts.get(str(session))
        if account is None or account not in known:
            raise _error(422, f'Session "{session}" does not exist')
        return account

    def content(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        path = {name: value for name, value in request.match_info.items() if name != "session"}
        return {name: value for name, value in body.items() if name != "session"} | path

    def incomplete(self, fields: Sequence[str]) -> GatewayError:
        return _error(400, [f"{field} should not be empty" for field in fields])

    def rejection(self, code: int, http: int | None) -> GatewayError:
        """Return the error of a broken limit or a fault. WAHA has no codes other than the HTTP status."""
        status = http or (code if 400 <= code <= 599 else 500)
        if status == 422:
            words = "Session status is not as expected. Try again later or restart the session"
            return GatewayError(422, {"error": words, "status": "STARTING", "expected": ["WORKING"]})
        return _error(status, f"the sandbox was told to answer with {code}" if status != 429 else "Too Many Requests")

    def message_webhook(self, account: SandboxAccount, message: UserMessage) -> tuple[list[str], SignedWebhook]:
        message_id, event, payload = webhooks.users(account, message)
        return [message_id], webhooks.waha_webhook(account, webhooks.enveloped(account, event, payload))

    def status_webhook(self, updates: Sequence[Update]) -> SignedWebhook:
        (update,) = updates
        body = webhooks.enveloped(update.account, "message.ack", webhooks.ack(update))
        return webhooks.waha_webhook(update.account, body)


def _error(status: int, message: str | list[str]) -> GatewayError:
    body: dict[str, Any] = {"message": message, "statusCode": status}
    title = _TITLES.get(status)
    return GatewayError(status, body | ({"error": title} if title and title != message else {}))
