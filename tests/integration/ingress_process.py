"""`pipeline ingress` as a process of its own, and a caller of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from aiohttp import ClientError, ClientSession

from pipeline.tenants import SAMPLE
from tests.support.cloud_webhooks import signature
from tests.support.ingress_client import CLOUD, JSON
from tests.support.waiting import HANG


class started:
    """`pipeline ingress` as a process of its own; killed if it still runs at the end.

    Its deadline is so long that no busy machine misses it; name a short one where it is to be missed.
    """

    def __init__(
        self, bootstrap: str, port: int, folder: Path, path: str = "/readyz", deadline: float = 2 * HANG
    ) -> None:
        self._url = f"http://127.0.0.1:{port}{path}"
        self._log = (folder / "ingress.log").open("wb")
        env = {
            **os.environ,
            "PIPELINE_KAFKA": bootstrap,
            "PIPELINE_LOG_FORMAT": "json",
            "PIPELINE_TENANTS": str(SAMPLE),
            "PIPELINE_INGRESS_DEADLINE": str(deadline),
        }
        argv = [sys.executable, "-m", "pipeline.cli", "ingress", "--port", str(port)]
        self._process = subprocess.Popen(argv, stdout=self._log, stderr=self._log, env=env)

    def __enter__(self) -> subprocess.Popen[bytes]:
        asyncio.run(answering(self._url))
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


async def answering(url: str) -> None:
    async with asyncio.timeout(HANG), ClientSession() as session:
        while True:
            with suppress(ClientError):
                async with session.get(url) as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.05)


async def post(port: int, body: bytes) -> int:
    """Signed as the sample's tenants expect it."""
    headers = JSON | {"X-Hub-Signature-256": signature(body, "sandbox-app-secret")}
    url = f"http://127.0.0.1:{port}{CLOUD}"
    async with ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status
