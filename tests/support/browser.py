"""A headless Chromium, driven by its own protocol (CDP), for tests of pages."""

from __future__ import annotations

import asyncio
import base64
import shutil
import tempfile
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse

from tests.support.waiting import HANG, until

PROGRAM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEEDS_BROWSER: Final = pytest.mark.skipif(not PROGRAM, reason="the page is shown in Chromium, which is not installed")
"""`make test` needs only Python and make; pages are looked at where there is a browser."""


class Tab:
    """One page. `requested` has the URLs that it has asked for, `errors` what its console and scripts complained of."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.requested: list[str] = []
        self.errors: list[str] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        return await asyncio.wait_for(answer, HANG)

    async def open(self, url: str) -> None:
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=url)

    async def run(self, script: str) -> Any:
        """Return what an expression of JavaScript gives."""
        done = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def wait_for(self, script: str) -> None:
        """Wait until an expression is true."""

        async def holds() -> bool:
            return bool(await self.run(script))

        await until(holds)

    async def picture(self) -> bytes:
        return base64.b64decode((await self.call("Page.captureScreenshot"))["data"])

    async def listen(self) -> None:
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told.get("result", {}))
            else:
                self._note(told["method"], told["params"])

    def _note(self, method: str, told: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requested.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(told["exceptionDetails"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.errors.append(told["entry"]["text"])


@asynccontextmanager
async def tab() -> AsyncIterator[Tab]:
    """Start a browser with one empty page."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        options = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--disable-sync")
        argv = [str(PROGRAM), *options, f"--user-data-dir={place}", "about:blank"]
        process = await asyncio.create_subprocess_exec(*argv, stdout=DEVNULL, stderr=DEVNULL)
        try:
            async with ClientSession() as session, session.ws_connect(await _page(session, Path(place))) as socket:
                found = Tab(socket)
                listening = asyncio.create_task(found.listen())
                yield found
                listening.cancel()
        finally:
            process.kill()
            await process.wait()


async def _page(session: ClientSession, place: Path) -> str:
    """Return the address of the first page's debugger."""
    told = place / "DevToolsActivePort"
    await until(lambda: told.exists() and told.read_text().count("\n") >= 1)
    port = told.read_text().splitlines()[0]
    pages: list[dict[str, Any]] = []

    async def is_there() -> bool:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as response:
            pages[:] = [each for each in await response.json() if each["type"] == "page"]
        return bool(pages)

    await until(is_there)
    return str(pages[0]["webSocketDebuggerUrl"])
