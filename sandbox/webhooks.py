"""Webhooks, and the HTTP client that posts them to the ingress."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Final, NamedTuple, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from pipeline.sandbox.errors import IngressAway

TIMEOUT: Final = ClientTimeout(total=10)
"""Timeout of a post: providers treat a slower webhook as not delivered."""


class SignedWebhook(NamedTuple):
    """One signed webhook. `path` is the ingress's path, with its query."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class IngressClient:
    """A client of the ingress. All methods raise `IngressAway` if no response comes."""

    def __init__(self, url: str, connections: int) -> None:
        self.url = url.rstrip("/")
        self._connections = connections

    async def __aenter__(self) -> Self:
        self._session = ClientSession(timeout=TIMEOUT, connector=TCPConnector(limit=self._connections))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def post(self, webhook: SignedWebhook) -> int:
        """Post a webhook; return the status of the response."""
        try:
            async with self._session.post(
                self.url + webhook.path, data=webhook.body, headers=webhook.headers, allow_redirects=False
            ) as answer:
                await answer.read()
                return answer.status
        except (ClientError, OSError) as error:
            raise self._away(error) from None

    async def get(self, path: str, query: Mapping[str, str]) -> tuple[int, str]:
        """Return the status and the text of the response."""
        try:
            async with self._session.get(self.url + path, params=query, allow_redirects=False) as answer:
                return answer.status, await answer.text(errors="replace")
        except (ClientError, OSError) as error:
            raise self._away(error) from None

    def _away(self, error: Exception) -> IngressAway:
        reason = f"no answer in {TIMEOUT.total:.0f} s" if isinstance(error, TimeoutError) else type(error).__name__
        return IngressAway(f"no answer from {self.url} ({reason}): start the ingress or set --ingress-url")
