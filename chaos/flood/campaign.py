"""An authentic sender during the attack, and what it is answered."""

from __future__ import annotations

import asyncio
import hmac
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

DEADLINE: Final = 5.0
"""Seconds after which a provider takes a webhook for not delivered."""
SECRET: Final = b"sandbox-app-secret"
RATE: Final = 20.0
"""Webhooks a second; every other one comes by a connection of its own."""


@dataclass(frozen=True)
class Figures:
    """The outcome of a run. `answers`: by status, 0 for none within the deadline; `latencies` in seconds, sorted."""

    answers: Counter[int]
    latencies: list[float]
    opened: int

    @property
    def withstood(self) -> bool:
        """True if every webhook was taken in time."""
        return set(self.answers) == {200}

    def __str__(self) -> str:
        p50, p99 = (self.latencies[int(len(self.latencies) * part)] * 1000 for part in (0.5, 0.99))
        answers = ", ".join(f"{count} x {status or 'no answer'}" for status, count in sorted(self.answers.items()))
        times = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {self.latencies[-1] * 1000:.0f} ms"
        return f"{answers}; {times}; {self.opened:,} connections were opened against it"


async def campaign(port: int, seconds: float, sockets: int, deadline: float = DEADLINE) -> Figures:
    """Send webhooks for `seconds` while `sockets` of somebody else are held open."""
    answers: Counter[int] = Counter()
    latencies: list[float] = []
    argv = [sys.executable, "-m", "chaos.flood.attack", str(port), str(seconds), str(sockets)]
    attacker = subprocess.Popen(argv, stdout=subprocess.PIPE)  # noqa: ASYNC220, S603 (it only starts it; all ours)
    try:
        async with ClientSession() as kept, ClientSession(connector=TCPConnector(force_close=True)) as fresh:
            begun, number = time.monotonic(), 0
            calls: list[asyncio.Task[None]] = []
            while time.monotonic() < begun + seconds:
                session = fresh if number % 2 else kept
                calls.append(asyncio.create_task(_post(session, port, number, deadline, answers, latencies)))
                number += 1
                await asyncio.sleep(max(0.0, begun + number / RATE - time.monotonic()))
            await asyncio.gather(*calls)
        opened, _ = await asyncio.to_thread(attacker.communicate, None, 60)
    finally:
        attacker.kill()
    return Figures(answers, sorted(latencies), int(opened))


async def _post(
    session: ClientSession, port: int, number: int, deadline: float, answers: Counter[int], latencies: list[float]
) -> None:
    body = _webhook(number)
    sign = "sha256=" + hmac.digest(SECRET, body, "sha256").hex()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": sign}
    url, limit, begun = f"http://127.0.0.1:{port}/webhooks/cloud", ClientTimeout(deadline), time.monotonic()
    status = 0
    try:
        async with session.post(url, data=body, headers=headers, timeout=limit) as answer:
            status = answer.status
    except (ClientError, TimeoutError):
        pass
    answers[status] += 1
    latencies.append(time.monotonic() - begun)


def _webhook(number: int) -> bytes:
    text = {"id": f"flood-{number}", "timestamp": "1760000000", "type": "text", "text": {"body": "x"}}
    message = text | {"from": f"1555{number % 100:07d}"}
    metadata = {"phone_number_id": "106540352242922"}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "messages": [message]}
    entry = {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}
    return orjson.dumps({"object": "whatsapp_business_account", "entry": [entry]})
