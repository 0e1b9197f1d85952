"""An order in steps: the answers so far are in the conversation's state, which expires after an hour."""

from __future__ import annotations

from typing import Any, Final

from pipeline.handlers import EventHandler, ReplyButton
from pipeline.topics.events import MessageEvent

DISHES: Final = {"pizza": "Pizza", "burger": "Burger", "salad": "Salad"}
HOUR: Final = 3600
KEY: Final = "order"


class OrderHandler(EventHandler):
    """Asks for a dish, a number, and a confirmation."""

    async def process_message(self, webhook: MessageEvent) -> None:
        state = await self.cache_factory.create_state_cache().get(KEY) or {"step": "start"}
        said = (webhook.get_interactive_selection() or webhook.get_message_text()).strip().lower()
        step = {"dish": self._choose, "count": self._count, "confirm": self._confirm}.get(state["step"], self._start)
        await step(webhook.user.user_id, said, state)

    async def _start(self, user_id: str, _said: str, _state: dict[str, Any]) -> None:
        await self._keep({"step": "dish"})
        buttons = [ReplyButton(id=dish, title=title) for dish, title in DISHES.items()]
        await self.messenger.send_button_message(buttons, user_id, "What would you like to order?")

    async def _choose(self, user_id: str, said: str, state: dict[str, Any]) -> None:
        if said not in DISHES:
            await self._start(user_id, said, state)
            return
        await self._keep({"step": "count", "dish": said})
        await self.messenger.send_text(f"How many of {DISHES[said]}?", user_id)

    async def _count(self, user_id: str, said: str, state: dict[str, Any]) -> None:
        if not said.isdecimal() or not 1 <= int(said) <= 20:
            await self.messenger.send_text("A number from 1 to 20, please.", user_id)
            return
        await self._keep(state | {"step": "confirm", "count": int(said)})
        buttons = [ReplyButton(id="yes", title="Yes"), ReplyButton(id="no", title="No")]
        await self.messenger.send_button_message(buttons, user_id, f"{said} x {DISHES[state['dish']]}: order now?")

    async def _confirm(self, user_id: str, said: str, state: dict[str, Any]) -> None:
        await self.cache_factory.create_state_cache().delete(KEY)
        if said != "yes":
            await self.messenger.send_text("Nothing was ordered.", user_id)
            return
        ordered = {"dish": state["dish"], "count": state["count"]}
        await self.cache_factory.create_user_cache().append_to_list("orders", "placed", ordered)
        await self.messenger.send_text(f"✅ {state['count']} x {DISHES[state['dish']]} on the way!", user_id)

    async def _keep(self, state: dict[str, Any]) -> None:
        await self.cache_factory.create_state_cache().set(KEY, state, ttl=HOUR)
