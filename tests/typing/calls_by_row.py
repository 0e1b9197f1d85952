"""Caches in the style of Wappa 0.31: the user's own row needs no key, a table's row two names."""

from __future__ import annotations

from typing import Any, assert_type

from pipeline import Effects, EventHandler, MessageEvent, agent
from pipeline.state import TableTransitionResult, TypedTableCache
from tests.typing.models import Order, Profile


class OwnRow(EventHandler):
    """Uses every cache without a key."""

    async def process_message(self, webhook: MessageEvent) -> None:
        """The user's own row is a dict or None, or the model that was passed."""
        cache = self.cache_factory.create_user_cache()
        assert_type(await cache.get(), dict[str, Any] | None)
        assert_type(await cache.get(Profile), Profile | None)
        assert_type(await cache.get(models=Profile), Profile | None)
        assert_type(await cache.upsert({"name": "Ana"}, 60), bool)
        assert_type(await cache.upsert(Profile(name="Ana")), bool)
        assert_type(await cache.delete(), bool)
        assert_type(await cache.exists(), bool)
        assert_type(await cache.update_field("visits", 1, ttl=60), bool)
        assert_type(await cache.delete_field("visits"), bool)
        assert_type(await cache.increment_field("visits"), int | None)
        assert_type(await cache.increment_field("visits", 2, ttl=60), int | None)
        assert_type(await cache.append_to_list("orders", {"item": "tea"}, ttl=60), bool)
        assert_type(await cache.get_ttl(), int)
        assert_type(await cache.renew_ttl(60), bool)
        assert_type(await cache.find_by_field("name", "Ana"), dict[str, Any] | None)
        assert_type(await cache.find_by_field("name", "Ana", Profile), Profile | None)

    async def states(self) -> None:
        """States and agents have a key in this style too, by its own name."""
        states = self.cache_factory.create_state_cache()
        assert_type(await states.get(handler_name="order"), dict[str, Any] | None)
        assert_type(await states.get(handler_name="order", models=Profile), Profile | None)
        assert_type(await states.upsert(handler_name="order", data={"step": 1}, ttl=60), bool)
        agents = self.cache_factory.create_ai_state_cache()
        assert_type(await agents.merge(agent_name="helper", state_data={"mood": "good"}), dict[str, Any])
        assert_type(await agents.merge(agent_name="helper", state_data={}, models=Profile), Profile)
        assert_type(await agents.delete_by_agent_prefix("help"), int)

    async def tables(self) -> None:
        """A table's row is named by the table and its primary key."""
        table = self.cache_factory.create_table_cache()
        assert_type(await table.get("orders", "17"), dict[str, Any] | None)
        assert_type(await table.get("orders", "17", Order), Order | None)
        assert_type(await table.get(table_name="orders", pkid="17", models=Order), Order | None)
        assert_type(await table.upsert("orders", "17", {"item": "tea"}, 60), bool)
        assert_type(await table.increment_field("orders", "17", "count", 2), int | None)
        assert_type(await table.renew_ttl("orders", "17", 60), bool)
        assert_type(await table.get_all("orders"), list[dict[str, Any]])
        assert_type(await table.get_all("orders", Order), list[Order])
        assert_type(await table.list_pkids("orders"), list[str])
        assert_type(await table.find_by_field("orders", "item", "tea", Order), Order | None)
        assert_type(await table.create_if_absent("orders", "17", {"item": "tea"}), TableTransitionResult)
        typed = TypedTableCache(table, "orders", Order)
        assert_type(await typed.get("17"), Order | None)
        assert_type(await typed.get_all(), list[Order])
        assert_type((await typed.create_if_absent("17", Order(item="tea"))).row, Order | None)

    async def deadlines(self) -> None:
        """A deadline has an action and an identifier."""
        expiry = self.cache_factory.create_expiry_cache()
        assert_type(await expiry.set("remind", "order-17", 3600), bool)
        assert_type(await expiry.delete("remind", "order-17"), int)


@agent(MessageEvent)
async def visits(event: MessageEvent, effects: Effects) -> None:
    """An agent's caches have the same types."""
    assert_type(await effects.tables.increment_field("visits", event.user.user_id, "count"), int | None)
    assert_type(await effects.user.get(Profile), Profile | None)
    assert_type(await effects.state.get("order"), dict[str, Any] | None)
    assert_type(await effects.ai_state.exists("helper"), bool)
