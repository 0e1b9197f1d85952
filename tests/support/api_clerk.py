"""A handler that takes note of what other systems send, for tests on one machine and on the stack."""

from __future__ import annotations

from pipeline.agents.handlers.echo import EchoHandler
from pipeline.topics.events import APIMessageEvent


class ApiClerk(EchoHandler):
    """Answers as the sample does; counts the sends of the HTTP API in the recipient's cache, and may add a text."""

    async def process_api_message(self, event: APIMessageEvent) -> None:
        sends = self.cache_factory.create_user_cache()
        await sends.increment_field("sends", "count")
        await sends.set_field("sends", "last", event.message_type)


class AnsweringClerk(ApiClerk):
    async def process_api_message(self, event: APIMessageEvent) -> None:
        await super().process_api_message(event)
        await self.messenger.send_text(f"noted {event.message_id}", event.recipient)
