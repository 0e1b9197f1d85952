"""Caches in the style of Wappa 0.1: the caller names the key."""

from __future__ import annotations

from typing import Any, assert_type

from pipeline import EventHandler, MessageEvent
from pipeline.state import ICache
from tests.typing.models import Profile


class ByKey(EventHandler):
    """Uses every cache by key."""

    async def process_message(self, webhook: MessageEvent) -> None:
        """A row is a dict or None, or the model that was passed; writes tell whether they did it."""
        cache = self.cache_factory.create_user_cache()
        assert_type(await cache.get("profile"), dict[str, Any] | None)
        assert_type(await cache.get(key="profile"), dict[str, Any] | None)
        assert_type(await cache.get("profile", Profile), Profile | None)
        assert_type(await cache.get("profile", models=Profile), Profile | None)
        assert_type(await cache.set("profile", {"name": "Ana"}, 60), bool)
        assert_type(await cache.set("profile", Profile(name="Ana"), ttl=60), bool)
        assert_type(await cache.upsert("profile", {"name": "Ana"}, ttl=60), bool)
        assert_type(await cache.delete("profile"), bool)
        assert_type(await cache.exists("profile"), bool)
        assert_type(await cache.set_field("profile", "visits", 1), bool)
        assert_type(await cache.update_field("profile", "visits", 1, ttl=60), bool)
        assert_type(await cache.delete_field("profile", "visits"), bool)
        assert_type(await cache.increment_field("profile", "visits"), int | None)
        assert_type(await cache.increment_field("profile", "visits", 2, 60), int | None)
        assert_type(await cache.append_to_list("profile", "orders", {"item": "tea"}), bool)
        assert_type(await cache.get_ttl("profile"), int)
        assert_type(await cache.set_ttl("profile", 60), bool)
        assert_type(await cache.renew_ttl("profile", 60), bool)

    async def states(self, user_id: str) -> None:
        """The states of a conversation, and those of agents, take the handler's name as the key."""
        states = self.cache_factory.create_state_cache(user_id=user_id)
        assert_type(await states.get("order"), dict[str, Any] | None)
        assert_type(await states.get("order", Profile), Profile | None)
        assert_type(await states.merge("order", {"step": 2}), dict[str, Any])
        assert_type(await states.merge("order", {"step": 2}, 60, Profile), Profile)
        assert_type(await states.merge("order", {"step": 2}, models=Profile), Profile)
        assert_type(await states.list_handlers(), list[str])
        agents = self.cache_factory.create_ai_state_cache()
        assert_type(await agents.get("helper", Profile), Profile | None)
        assert_type(await agents.increment_field("helper", "turns"), int | None)

    async def tables(self) -> None:
        """A table's rows by key have the key that `create_table_key` makes."""
        table = self.cache_factory.create_table_cache()
        key = table.create_table_key("orders", "17")
        assert_type(await table.get(key), dict[str, Any] | None)
        assert_type(await table.get(key, Profile), Profile | None)
        assert_type(await table.set(key, {"item": "tea"}, ttl=60), bool)
        assert_type(await table.increment_field(key, "count"), int | None)
        assert_type(await table.delete(key), bool)

    async def any_cache(self) -> None:
        """A function that takes any cache by key takes all of these."""
        factory = self.cache_factory
        caches: list[ICache] = [
            factory.create_user_cache(),
            factory.create_state_cache(),
            factory.create_ai_state_cache(),
            factory.create_table_cache(),
        ]
        for cache in caches:
            assert_type(await cache.get("key", Profile), Profile | None)

    async def small_state(self, user_id: str) -> None:
        """`self.cache` is one dict per user."""
        assert_type(await self.cache.get_user_state(user_id), dict[str, Any])
        assert_type(await self.cache.user_exists(user_id), bool)
