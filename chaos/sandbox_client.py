"""The harness' side of the sandbox: how it is told to misbehave, and asked what it has seen."""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiohttp import ClientSession, ClientTimeout

from chaos.accounts import PER_SECOND
from chaos.plan import Act, Fault

SILENT_FOR: Final = 1.0
"""Seconds until an answer that never comes is cut off."""
_TIMEOUT: Final = ClientTimeout(total=60)
_STATUSES: Final = ({"status": "sent", "after": 0.05},)
"""Of each message, the one status that the messenger needs. The others would only be load."""


class SandboxClient:
    """One sandbox, under `/_sandbox`."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self._url = f"{url}/_sandbox"
        self._session = session

    async def prepare(self) -> None:
        """Each number's limit, and the statuses that are reported."""
        await self._set({"limits": {"messages_per_second": PER_SECOND}, "statuses": _STATUSES})

    async def answer_after(self, least: float, most: float) -> None:
        """Let each answer come after a random time, in seconds. The message is accepted before."""
        await self._set({"latency": least, "latency_max": most})

    async def misbehave(self, fault: Fault) -> None:
        await self._set(_request(fault))

    async def behave(self) -> None:
        await self._set({"errors": [], "latency": 0, "latency_max": None, "timeout_after_accept": None})

    async def rows(self, journal: str) -> list[dict[str, Any]]:
        """Return everything in `sent` or `violations`, oldest first."""
        rows: list[dict[str, Any]] = await self._get(journal)
        return rows

    async def counts(self) -> dict[str, int]:
        """Return how many rows each journal has been given."""
        stats = await self._get("stats")
        return {journal: int(stats[journal]["total"]) for journal in ("sent", "violations")}

    async def pending(self) -> int:
        """Messages of which a status is still to be reported."""
        return int((await self._get("stats"))["statuses"]["pending"])

    async def _get(self, path: str) -> Any:
        async with self._session.get(f"{self._url}/{path}", timeout=_TIMEOUT) as response:
            response.raise_for_status()
            return orjson.loads(await response.read())

    async def _set(self, faults: object) -> None:
        async with self._session.post(f"{self._url}/faults", json=faults) as response:
            response.raise_for_status()


def _request(fault: Fault) -> dict[str, object]:
    times = int(fault.amount)
    if fault.act is Act.ERROR:
        return {"errors": [{"code": 131000, "http": 500, "times": times}]}
    if fault.act is Act.THROTTLE:
        return {"errors": [{"code": 130429, "times": times}]}
    if fault.act is Act.SILENCE:
        return {"timeout_after_accept": {"times": times, "hold": SILENT_FOR}}
    return {"latency": fault.amount}
