"""HTTP responses: a status and one short line of JSON, which never shows what a secret should have been."""

from __future__ import annotations

from typing import Final

from aiohttp import web

RETRY_SECONDS: Final = "2"
"""Value of `Retry-After`, in seconds."""

BODIES: Final = {
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


class BareResponse(web.Response):
    """A response without a `Server` header: a scanner learns no version from it."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.pop("Server", None)


async def check_expect(request: web.Request) -> web.Response | None:
    """Return 417 for an `Expect` header other than `100-continue`, which is answered when the body is read."""
    return None if request.headers.get("Expect", "").lower() == "100-continue" else response(417)


def response(status: int) -> web.Response:
    """Return the response for a status. A 503 has a `Retry-After` header."""
    headers = {"Content-Type": "application/json"}
    if status == 503:
        headers["Retry-After"] = RETRY_SECONDS
    return BareResponse(status=status, body=BODIES[status], headers=headers)
