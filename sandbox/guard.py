"""Keep web pages away from `/_sandbox`: a browser on this machine would let any site change how the sandbox behaves."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

_CHANGES: Final = frozenset({hdrs.METH_POST, hdrs.METH_PUT, hdrs.METH_PATCH, hdrs.METH_DELETE})
_OWN_SITES: Final = frozenset({"same-origin", "none"})


@web.middleware
async def guard_control(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers 403 to another site's page, and 415 to a body that a page may send without being asked (text, forms)."""
    if request.path.startswith("/_sandbox") and request.method in _CHANGES:
        if _is_foreign(request):
            return _refusal(403, "a page of another site may not change the sandbox")
        if request.method != hdrs.METH_DELETE and request.content_type != "application/json":
            return _refusal(415, "the body is not application/json: send it as such (curl --json)")
    return await handler(request)


def _is_foreign(request: web.Request) -> bool:
    """Browsers name the page's origin with every request that changes something; other clients name none."""
    if request.headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES:
        return True
    origin = request.headers.get(hdrs.ORIGIN)
    return origin is not None and (urlsplit(origin).netloc != request.host or not _is_local(origin))


def _is_local(origin: str) -> bool:
    """An address or a name without a dot. A site's own name can be made to resolve to this machine (DNS rebinding)."""
    host = urlsplit(origin).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(host) and "." not in host
    return True


def _refusal(status: int, why: str) -> web.Response:
    return web.Response(body=orjson.dumps({"error": why}), status=status, content_type="application/json")
