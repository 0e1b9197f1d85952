"""A menu with buttons: answers keywords and taps, and shows the menu for everything else."""

from __future__ import annotations

from typing import Final

from pipeline.handlers import EventHandler, ReplyButton
from pipeline.topics.events import MessageEvent

HOURS: Final = "We're open Mon-Fri 9AM-6PM"
SUPPORT: Final = "A colleague will write to you within an hour."
MENU: Final = (
    ReplyButton(id="hours", title="Store hours"),
    ReplyButton(id="location", title="Our location"),
    ReplyButton(id="support", title="Get support"),
)


class CustomerServiceHandler(EventHandler):
    """Answers with the hours, the location, or a person."""

    async def process_message(self, webhook: MessageEvent) -> None:
        await self.messenger.mark_as_read(webhook.message.message_id)
        user_id = webhook.user.user_id
        asked = (webhook.get_interactive_selection() or webhook.get_message_text()).lower()
        if "hours" in asked:
            await self.messenger.send_text(HOURS, user_id)
        elif "location" in asked:
            await self.messenger.send_location(40.7589, -73.9851, user_id, "Find us here!")
        elif "support" in asked:
            await self.messenger.send_text(SUPPORT, user_id)
        else:
            await self.messenger.send_button_message(MENU, user_id, "How can I help you today?")
