"""The sandbox's control paths against a browser: no page of another site changes anything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from aiohttp import ClientSession

from sandbox.config import Config
from sandbox.server import served

JSON = {"Content-Type": "application/json"}
CHANGES = [
    ("POST", "/_sandbox/faults"),
    ("POST", "/_sandbox/receive"),
    ("POST", "/_sandbox/verify"),
    ("DELETE", "/_sandbox/faults"),
    ("DELETE", "/_sandbox/sent"),
]


async def answered(method: str, path: str, headers: Mapping[str, str], body: bytes | None = b'{"latency": 5}') -> int:
    async with served(Config(port=0)) as url, ClientSession() as session:
        own = {name: value.replace("OWN", url) for name, value in headers.items()}
        async with session.request(method, url + path, data=body, headers=own) as response:
            status: int = response.status
        async with session.get(f"{url}/_sandbox/faults") as response:
            faults = await response.json()
    assert status == 200 or faults["latency"] == 0
    return status


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example:8090", "Host": "evil.example:8090"},
    ],
    ids=["origin", "sandboxed frame", "another port", "cross-site", "same-site", "DNS rebinding"],
)
def test_another_sites_page_is_refused(method: str, path: str, headers: dict[str, str]) -> None:
    """Any page that a developer has open would set faults or send messages as users."""
    assert asyncio.run(answered(method, path, JSON | headers)) == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("path", [path for method, path in CHANGES if method == "POST"])
def test_a_body_that_a_page_may_send_unasked_is_refused(path: str, kind: str) -> None:
    """Browsers that name no origin would post text across sites."""
    assert asyncio.run(answered("POST", path, {"Content-Type": kind})) == 415


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "OWN", "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}]
)
def test_tools_and_its_own_page_are_served(headers: dict[str, str]) -> None:
    """curl, tests and a page of the sandbox itself would be shut out."""
    assert asyncio.run(answered("POST", "/_sandbox/faults", JSON | headers)) == 200
    assert asyncio.run(answered("DELETE", "/_sandbox/faults", headers, None)) == 200
