"""What callers hear: a status and one short line of JSON, which never tells what a secret should have been."""

from __future__ import annotations

from typing import Final

from aiohttp import web

RETRY_SECONDS: Final = "2"

TEXTS: Final = {
    200: b'{"status":"taken"}\n',
    400: b'{"error":"the request is not whole, or no HTTP"}\n',
    401: b'{"error":"bad or missing secret"}\n',
    404: b'{"error":"there is nothing here"}\n',
    413: b'{"error":"the body is too large"}\n',
    415: b'{"error":"send application/json"}\n',
    417: b'{"error":"nothing but 100-continue can be expected"}\n',
    500: b'{"error":"this failed here"}\n',
    503: b'{"error":"not taken, send it again"}\n',
}


class Answer(web.Response):
    """A response that does not say which software makes it."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.pop("Server", None)


async def expected(request: web.Request) -> web.Response | None:
    """Leaves `100-continue` to whoever reads the body; anything else can't be expected, and is not quoted."""
    return None if request.headers.get("Expect", "").lower() == "100-continue" else answer(417)


def answer(status: int) -> web.Response:
    """The answer of this status; 503 says when to come back."""
    headers = {"Content-Type": "application/json"}
    if status == 503:
        headers["Retry-After"] = RETRY_SECONDS
    return Answer(status=status, body=TEXTS[status], headers=headers)
