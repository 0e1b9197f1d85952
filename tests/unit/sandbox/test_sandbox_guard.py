"""The sandbox's control paths against a browser: no page of another site changes anything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from aiohttp import ClientSession

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import served

JSON = {"Content-Type": "application/json"}
CHANGES = [
    ("POST", "/_sandbox/faults"),
    ("POST", "/_sandbox/receive"),
    ("POST", "/_sandbox/verify"),
    ("DELETE", "/_sandbox/faults"),
    ("DELETE", "/_sandbox/sent"),
]


async def answered(method: str, path: str, headers: Mapping[str, str], body: bytes | None = b'{"latency": 5}') -> int:
    async with served(SandboxConfig(port=0)) as url, ClientSession() as session:
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
        {"Origin": "http://[evil"},
        {"Referer": "https://evil.example/page"},
        {"Origin": "http://evil.example:8090", "Host": "evil.example:8090"},
        {"Sec-Fetch-Site": "same-origin", "Host": "evil.example:8090"},
        {"Sec-Fetch-Mode": "cors", "Host": "[evil"},
    ],
    ids=[
        "origin",
        "sandboxed frame",
        "another port",
        "cross-site",
        "same-site",
        "no URL",
        "referer",
        "DNS rebinding",
        "DNS rebinding without an origin",
        "no host",
    ],
)
def test_another_sites_page_is_refused(method: str, path: str, headers: dict[str, str]) -> None:
    """Any page that a developer has open would set faults or send messages as users."""
    assert asyncio.run(answered(method, path, JSON | headers)) == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("headers", [{"Origin": "OWN"}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Mode": "navigate"}])
@pytest.mark.parametrize("path", [path for method, path in CHANGES if method == "POST"])
def test_a_browsers_form_is_refused(path: str, headers: dict[str, str], kind: str) -> None:
    """A form that a page submits would set faults, where a browser does not tell whose page it is."""
    assert asyncio.run(answered("POST", path, headers | {"Content-Type": kind})) == 415


@pytest.mark.parametrize(
    "headers",
    [
        JSON,
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/octet-stream", "Host": "sandbox.stack.internal:8090"},
        JSON | {"Origin": "OWN", "Sec-Fetch-Site": "same-origin", "Referer": "OWN/"},
        JSON | {"Sec-Fetch-Site": "none"},
    ],
    ids=["curl --json", "curl -d", "text", "no type", "its own page", "typed in by its user"],
)
def test_tools_and_its_own_page_are_served(headers: dict[str, str]) -> None:
    """Scripts that post JSON under no type or curl's own, and a page of the sandbox itself, would be shut out."""
    assert asyncio.run(answered("POST", "/_sandbox/faults", headers)) == 200
    assert asyncio.run(answered("DELETE", "/_sandbox/faults", headers, None)) == 200
