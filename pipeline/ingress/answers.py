"""What callers hear: a status and one short line of JSON, which never tells what a secret should have been."""

from __future__ import annotations

from typing import Final

from aiohttp import web

RETRY_SECONDS: Final = "2"

TEXTS: Final = {
    200: b'{"status":"taken"}\n',
    400: b'{"error":"the body did not arrive whole"}\n',
    401: b'{"error":"bad or missing secret"}\n',
    404: b'{"error":"there is nothing here"}\n',
    413: b'{"error":"the body is too large"}\n',
    415: b'{"error":"send application/json"}\n',
    503: b'{"error":"not taken, send it again"}\n',
}


def answer(status: int) -> web.Response:
    """The answer of this status; 503 says when to come back."""
    headers = {"Content-Type": "application/json"}
    if status == 503:
        headers["Retry-After"] = RETRY_SECONDS
    return web.Response(status=status, body=TEXTS[status], headers=headers)
