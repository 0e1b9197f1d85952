"""The description of the HTTP API in OpenAPI 3.1, for those who hold a key of it.

It is closed as the API is: what is open to everybody is read by scanners, which learn from it what runs here, and a
short request would get a long answer. Everybody else has `docs/openapi.json`, which is the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

from pipeline.ingress.responses import BareResponse, response
from pipeline.ingress.send_headers import bearer_token
from pipeline.tenants import Tenants

FILE: Final = Path(__file__).with_name("openapi.json")
"""Written by `make reference`."""


class ApiDescription:
    """`GET /api/openapi.json`."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants
        self._content = FILE.read_bytes()

    async def get(self, request: web.Request) -> web.Response:
        """Return the description, or 401 without a key of any tenant."""
        if self._tenants.keyholder(bearer_token(request)) is None:
            return response(401)
        return BareResponse(body=self._content, content_type="application/json")
