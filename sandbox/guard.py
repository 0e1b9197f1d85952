"""Protect `/_sandbox` from web pages: any site in a browser on this machine could change the sandbox's behaviour."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

_CHANGES: Final = frozenset({hdrs.METH_POST, hdrs.METH_PUT, hdrs.METH_PATCH, hdrs.METH_DELETE})
_OWN_SITES: Final = frozenset({"same-origin", "none"})
_OF_BROWSERS: Final = (hdrs.ORIGIN, "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", hdrs.REFERER)
"""Headers of a browser. Scripts send none of them; browsers send the origin except with GET and HEAD."""


@web.middleware
async def guard_control(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Reject a page of another site with 403, and a body that needs no preflight (text, forms) with 415.

    Other clients may send JSON with any content type, as `curl -d` does.
    """
    if request.path.startswith("/_sandbox") and request.method in _CHANGES and _is_browser(request):
        if _is_foreign(request):
            return _rejection(403, "a page of another site may not change the sandbox")
        if request.method != hdrs.METH_DELETE and request.content_type != "application/json":
            return _rejection(415, "a page's body is not application/json: send it as such")
    return await handler(request)


def _is_browser(request: web.Request) -> bool:
    return any(name in request.headers for name in _OF_BROWSERS)


def _is_foreign(request: web.Request) -> bool:
    """Return True if the page is not the sandbox's own, or the host is the name of a site."""
    if request.headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES or not is_local(request.host):
        return True
    pages = (request.headers.get(name) for name in (hdrs.ORIGIN, hdrs.REFERER))
    return any(page is not None and _authority(page) != request.host for page in pages)


def is_local(host: str) -> bool:
    """Return True for an address or a name without a dot. A site's name may resolve to this machine (DNS rebinding)."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # half a pair of brackets
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(name) and "." not in name
    return True


def _authority(url: str) -> str | None:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return None


def _rejection(status: int, why: str) -> web.Response:
    return web.Response(body=orjson.dumps({"error": why}), status=status, content_type="application/json")
