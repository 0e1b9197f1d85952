"""The sample handler: answers every text with itself."""

from pipeline.handlers import EventHandler
from pipeline.topics.events import MessageEvent


class EchoHandler(EventHandler):
    """Marks the message as read, counts it in the user's cache, and sends it back."""

    async def process_message(self, webhook: MessageEvent) -> None:
        message_id = webhook.message.message_id
        await self.messenger.mark_as_read(message_id, typing=True)
        await self.cache_factory.create_user_cache().increment_field("echo", "messages")
        if text := webhook.get_message_text():
            answer = f"You said: {text}"[:4096]
            await self.messenger.send_text(answer, webhook.user.user_id, reply_to_message_id=message_id)
