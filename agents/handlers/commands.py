"""Slash commands: a method for each."""

from __future__ import annotations

from pipeline.handlers import EventHandler
from pipeline.topics.events import MessageEvent


class CommandsHandler(EventHandler):
    """Answers /start, /settings and /help."""

    async def process_message(self, webhook: MessageEvent) -> None:
        command, _, rest = webhook.get_message_text().strip().partition(" ")
        run = {"/start": self._start, "/settings": self._settings, "/help": self._help}.get(command.lower())
        if run is not None:
            await run(webhook, rest.strip())
        elif command.startswith("/"):
            await self._say(webhook, f"Unknown command: {command[:50]}. Try /help.")
        else:
            await self._say(webhook, "Write /help to see what I can do.")

    async def _start(self, webhook: MessageEvent, _rest: str) -> None:
        first = not await self.cache.user_exists(webhook.user.user_id)
        if first:
            await self.cache.set_user_state(webhook.user.user_id, {"language": "en"})
        await self._say(webhook, f"{'Welcome' if first else 'Welcome back'}, {webhook.get_sender_display_name()}!")

    async def _settings(self, webhook: MessageEvent, language: str) -> None:
        """Show the language for `/settings`, set it for `/settings es`."""
        state = await self.cache.get_user_state(webhook.user.user_id)
        if language:
            state["language"] = language[:8]
            await self.cache.set_user_state(webhook.user.user_id, state)
        await self._say(webhook, f"Language: {state.get('language', 'en')}")

    async def _help(self, webhook: MessageEvent, _rest: str) -> None:
        await self._say(webhook, "/start, /settings, /help")

    async def _say(self, webhook: MessageEvent, text: str) -> None:
        await self.messenger.send_text(text, webhook.user.user_id, reply_to_message_id=webhook.message.message_id)
