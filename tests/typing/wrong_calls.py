"""Calls that neither style knows: each is an error to both type checkers, or its ignore comment is one."""

from __future__ import annotations

from pipeline import EventHandler, MessageEvent
from tests.typing.models import Profile


class Wrong(EventHandler):
    """Calls every cache in a way that would fail at run time, or give something else."""

    async def process_message(self, webhook: MessageEvent) -> None:
        """A user's rows."""
        cache = self.cache_factory.create_user_cache()
        await cache.get(None)  # type: ignore[call-overload]  # pyright: ignore
        await cache.get("a", "b")  # type: ignore[call-overload]  # pyright: ignore
        await cache.get(17)  # type: ignore[call-overload]  # pyright: ignore
        await cache.get(model=Profile)  # type: ignore[call-overload]  # pyright: ignore
        await cache.upsert("key")  # type: ignore[call-overload]  # pyright: ignore
        await cache.set({"name": "Ana"})  # type: ignore[call-arg, arg-type]  # pyright: ignore
        await cache.set("key", "value")  # type: ignore[arg-type]  # pyright: ignore
        await cache.increment_field()  # type: ignore[call-overload]  # pyright: ignore
        await cache.renew_ttl("60")  # type: ignore[call-overload]  # pyright: ignore
        row = await cache.get("key")
        row["name"]  # type: ignore[index]  # pyright: ignore

    async def states(self) -> None:
        """A conversation's states."""
        states = self.cache_factory.create_state_cache()
        await states.get()  # type: ignore[call-overload]  # pyright: ignore
        await states.get(agent_name="order")  # type: ignore[call-overload]  # pyright: ignore
        await states.upsert({"step": 1})  # type: ignore[call-overload]  # pyright: ignore

    async def tables(self) -> None:
        """A tenant's tables."""
        table = self.cache_factory.create_table_cache()
        await table.get()  # type: ignore[call-overload]  # pyright: ignore
        await table.upsert("orders", "17")  # type: ignore[call-overload]  # pyright: ignore
        await table.get_all(Profile)  # type: ignore[call-overload]  # pyright: ignore

    async def deadlines(self) -> None:
        """Deadlines."""
        expiry = self.cache_factory.create_expiry_cache()
        await expiry.set("remind", 60)  # type: ignore[call-arg]  # pyright: ignore
