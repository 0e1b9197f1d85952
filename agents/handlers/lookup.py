"""Calls a slow service over HTTP. Other conversations go on meanwhile; later messages of this one wait.

`LOOKUP_URL` names the service: `GET {LOOKUP_URL}?q=…` answers `{"answer": str}`. Its request carries the event's id, so
that a service that changes something can recognise a second call for the same event.
"""

from __future__ import annotations

import os
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from pipeline.errors import ConfigurationError, Unavailable
from pipeline.handlers import EventHandler
from pipeline.topics.events import MessageEvent

TIMEOUT: Final = ClientTimeout(total=10)
"""Timeout of one request. It is shorter than `PIPELINE_HANDLER_TIMEOUT`, so that a slow service is seen as away."""


class LookupHandler(EventHandler):
    """Answers a text with the service's answer. While the service is away, the message waits and is not lost."""

    async def process_message(self, webhook: MessageEvent) -> None:
        if question := webhook.get_message_text():
            await self.messenger.mark_as_read(webhook.message.message_id, typing=True)
            answer = await self._ask(question, webhook.event_id)
            await self.messenger.send_text(answer[:4096], webhook.user.user_id)

    async def _ask(self, question: str, event_id: str) -> str:
        headers = {"Idempotency-Key": event_id}
        try:
            async with (
                ClientSession(timeout=TIMEOUT, raise_for_status=True) as session,
                session.get(_url(), params={"q": question}, headers=headers) as response,
            ):
                return str((await response.json())["answer"])
        except (ClientError, TimeoutError) as error:
            raise Unavailable(f"the lookup service does not answer ({type(error).__name__})") from None


def _url() -> str:
    try:
        return os.environ["LOOKUP_URL"]
    except KeyError:
        raise ConfigurationError("LOOKUP_URL is not set: name the service that answers questions") from None
