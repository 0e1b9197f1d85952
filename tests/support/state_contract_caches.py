"""The contract of the five caches by both generations of calls, beside what all rows by key have (`state_contract`)."""

from __future__ import annotations

import asyncio
from abc import ABC
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from pipeline.state import CacheFactory, TypedTableCache, VersionedTableCache
from tests.support.state_contract import CacheContract, Profile


class Anything(BaseModel):
    """Fits every row."""


class CachesContract(CacheContract, ABC):
    """All that caches do. A subclass says how to open rows."""

    def test_a_users_own_row(self) -> None:
        """If the newer signatures did not work, an application of today's Wappa could not move over."""

        async def body(make: CacheFactory) -> None:
            cache = make.create_user_cache()
            assert await cache.get() is None
            assert await cache.upsert({"name": "Ana", "n": 1}, 60) is True
            assert await cache.get() == {"name": "Ana", "n": 1}
            assert await cache.get(Profile) == await cache.get(models=Profile) == Profile(name="Ana")
            assert await cache.exists() is True
            assert await cache.get_field("name") == "Ana"
            assert await cache.update_field("name", "Bo", 90) is True
            assert 45 < await cache.get_ttl() <= 90
            assert await cache.increment_field("n") == 2
            assert await cache.increment_field("n", 2, ttl=60) == 4
            assert await cache.append_to_list("l", {"a": 1}, 60) is True
            assert await cache.append_to_list("l", "two", ttl=60) is True
            assert await cache.renew_ttl(30) is True
            assert 10 < await cache.get_ttl() <= 30
            assert await cache.delete_field("n") is True
            assert await cache.delete_field("n") is False
            assert await cache.get() == {"name": "Bo", "l": [{"a": 1}, "two"]}
            assert await cache.delete() == 1
            assert await cache.delete() == 0
            await cache.upsert(Profile(name="Cy"))
            assert await cache.get(models=Profile) == Profile(name="Cy")

        self.on_factory(body)

    def test_the_same_calls_with_a_key(self) -> None:
        """If a call with a key reached the user's own row, old and new parts of a handler would mix their data."""

        async def body(make: CacheFactory) -> None:
            cache = make.create_user_cache()
            await cache.upsert({"own": True})
            await cache.set("k", {"n": 1}, 60)
            await cache.set(key="j", data={"n": 1})
            assert await cache.get("k", Anything) is not None
            assert await cache.increment_field("k", "n", 2) == 3
            assert await cache.increment_field("k", field="n") == 4
            assert await cache.increment_field(key="k", field="n") == 5
            assert await cache.append_to_list("k", "l", 7) is True
            assert await cache.append_to_list("k", "l", "x", 60) is True
            assert await cache.append_to_list("k", field="l", value="y") is True
            assert await cache.get_field("k", "l") == [7, "x", "y"]
            assert await cache.get_field("k", field="n") == 5
            assert await cache.set_field("k", "n", 6) is True
            assert await cache.delete_field("k", "l") is True
            assert await cache.get("k") == {"n": 6}
            assert await cache.get() == {"own": True}
            assert await cache.get_ttl() == -1
            untyped: Any = cache
            for missing in (untyped.get(None), untyped.delete(None), untyped.exists(None)):
                with pytest.raises(ValueError, match="key"):
                    await missing

        self.on_factory(body)

    def test_states_of_a_user(self) -> None:
        """If states could not be listed and cleared, a conversation that goes wrong could not start anew."""

        async def body(make: CacheFactory) -> None:
            states = make.create_state_cache()
            other = make.create_state_cache(user_id="15550002222")
            for name in ("order", "order:pay", "survey"):
                assert await states.upsert(name, {"step": 1}, ttl=60) is True
            await other.upsert(handler_name="order", data={"step": 2})
            assert await states.get(handler_name="order") == {"step": 1}
            assert await states.list_handlers() == ["order", "order:pay", "survey"]
            assert await states.list_handlers("order") == ["order", "order:pay"]
            assert await states.list_users_with_handler("106", "order") == ["15550001111", "15550002222"]
            assert await states.merge("order", {"item": "tea"}) == {"step": 1, "item": "tea"}
            assert await states.merge("new", Profile(name="Ana"), 60, Profile) == Profile(name="Ana")
            assert 30 < await states.get_ttl("order") <= 60
            assert await states.delete_by_handler_prefix("order") == 2
            assert await states.delete_all_for_user() == 2
            assert await states.list_handlers() == []
            assert await other.get("order") == {"step": 2}
            assert await states.list_users_with_handler("106", "order") == ["15550002222"]

        self.on_factory(body)

    def test_what_agents_remember(self) -> None:
        """If agents' memories were not apart from states, clearing one would clear the other."""

        async def body(make: CacheFactory) -> None:
            memory, states = make.create_ai_state_cache(), make.create_state_cache()
            await states.set("helper", {"step": 1})
            await memory.upsert(agent_name="helper", data={"turns": [1]})
            assert await memory.merge("helper", {"mood": "good"}) == {"turns": [1], "mood": "good"}
            await memory.upsert("other", {})
            assert await memory.delete_by_agent_prefix("help") == 1
            assert await memory.delete_all_for_user() == 1
            assert await states.exists("helper")

        self.on_factory(body)

    def test_rows_of_tables(self) -> None:
        """If a table's rows could not be listed or found, every list of orders would have to be kept by hand."""

        async def body(make: CacheFactory) -> None:
            table = make.create_table_cache()
            assert await table.upsert("orders", "2", {"item": "tea", "n": 1}, 60) is True
            assert await table.upsert(table_name="orders", pkid="1", data={"item": "pie", "n": 1}) is True
            await table.upsert("orders:old", "1", {"item": "none"})
            assert await table.get("orders", "1", Anything) is not None
            assert await table.get(table.create_table_key("orders", "2")) == {"item": "tea", "n": 1}
            await table.set(table.create_table_key("orders", "3"), {"item": "pie", "n": 3})
            assert await table.list_pkids("orders") == ["1", "2", "3"]
            assert [row["item"] for row in await table.get_all("orders")] == ["pie", "tea", "pie"]
            assert await table.find_by_field("orders", "item", "tea") == {"item": "tea", "n": 1}
            assert await table.find_by_field("orders", "n", True) is None
            assert await table.exists("orders", "1") is True
            assert await table.update_field("orders", "1", "item", "jam") is True
            assert await table.get_field("orders", "1", "item") == "jam"
            assert await table.increment_field("orders", "1", "n", 2) == 3
            assert await table.append_to_list("orders", "1", "l", 5) is True
            assert await table.append_to_list("orders", "1", "l", "x", ttl=60) is True
            assert await table.get_field(table_name="orders", pkid="1", field="l") == [5, "x"]
            assert await table.renew_ttl("orders", "1", 30) is True
            assert 10 < await table.get_ttl("orders", "1") <= 30
            assert await table.delete_field("orders", "1", "l") is True
            assert await table.delete_all_by_pkid("1") == 2
            assert await table.delete("orders", "3") == 1
            assert await table.delete_table("orders") == 1
            assert await table.get_all("orders") == []

        self.on_factory(body)

    def test_conditions(self) -> None:
        """If two events could both take the last seat, one guest would stand."""

        async def body(make: CacheFactory) -> None:
            table = make.create_table_cache()
            missing = await table.replace_if("seats", "1", {"by": "ana"}, {"by": None})
            assert (missing.transition.value, missing.row, missing.written) == ("missing", None, False)
            created = await table.create_if_absent("seats", "1", {"by": None}, ttl=60)
            assert (created.transition.value, created.row, created.written) == ("created", None, True)
            again = await table.create_if_absent("seats", "1", {"by": "bo"})
            assert (again.transition.value, again.row, again.written) == ("already_exists", {"by": None}, False)
            taken = await table.replace_if("seats", "1", {"by": "ana"}, {"by": None}, ttl=60)
            assert (taken.transition.value, taken.row, taken.written) == ("replaced", None, True)
            late = await table.replace_if("seats", "1", {"by": "bo"}, {"by": None})
            assert (late.transition.value, late.row, late.written) == ("condition_not_met", {"by": "ana"}, False)
            assert await table.get("seats", "1") == {"by": "ana"}

        self.on_factory(body)

    def test_one_of_many_takes_the_seat(self) -> None:
        """If a condition were checked and written in two steps, everybody who asks at once would get the seat."""

        async def body(make: CacheFactory) -> None:
            table = make.create_table_cache()
            results = await asyncio.gather(
                *(table.create_if_absent("seats", "1", {"by": guest}) for guest in range(20))
            )
            assert [result.written for result in results].count(True) == 1
            (taken,) = await table.get_all("seats")
            assert [result.row for result in results].count(taken) == 19
            moves = await asyncio.gather(*(table.replace_if("seats", "1", {"by": "new"}, taken) for _ in range(20)))
            assert [result.written for result in moves].count(True) == 1

        self.on_factory(body)

    def test_users_are_found_by_a_field(self) -> None:
        """If a user could not be found by the order's number, the courier's message would reach nobody."""

        async def body(make: CacheFactory) -> None:
            for user in ("1", "2", "3"):
                await make.create_user_cache(user_id=user).upsert({"name": f"user {user}"})
            found = await make.create_user_cache().find_by_field("name", "user 2", Profile)
            assert found == Profile(name="user 2")
            await make.create_user_cache(user_id="2").delete()
            assert await make.create_user_cache().find_by_field("name", "user 2") is None

        self.on_factory(body)

    def test_deadlines(self) -> None:
        """If deadlines could not be cancelled together, a paid order would still be reminded of."""

        async def body(make: CacheFactory) -> None:
            expiry = make.create_expiry_cache()
            assert await expiry.set("remind", "order-1", 60) is True
            assert await expiry.set("cancel", "order-1", 90) is True
            assert await expiry.exists("remind", "order-1") is True
            assert 30 < await expiry.get_ttl("remind", "order-1") <= 60
            assert await expiry.delete("remind", "order-1") == 1
            assert await expiry.delete("remind", "order-1") == 0
            assert await expiry.get_ttl("remind", "order-1") == -2
            assert await expiry.delete_all_by_identifier("order-1") == 1
            assert await expiry.exists("cancel", "order-1") is False

        self.on_factory(body)

    def test_typed_tables(self) -> None:
        """If a typed table gave dicts or took another model, its types would be a comment."""

        async def body(make: CacheFactory) -> None:
            table = TypedTableCache(make.create_table_cache(), "people", Profile, default_ttl=60, cache_space="crm")
            assert await table.get("ana") is None
            await table.upsert("ana", Profile(name="Ana"))
            assert await table.get("ana") == Profile(name="Ana")
            assert 30 < await make.create_table_cache().get_ttl("crm:people", "ana") <= 60
            lost = await table.create_if_absent("ana", Profile(name="Bo"))
            assert (lost.written, lost.row) == (False, Profile(name="Ana"))
            assert (await table.replace_if("ana", Profile(name="Bo"), {"visits": 0})).written is True
            assert await table.get_all() == [Profile(name="Bo")]
            assert await table.list_pkids() == ["ana"]
            await table.upsert("ana", {"name": "Bo", "visits": "3"}, ttl=30)
            assert await table.get("ana") == Profile(name="Bo", visits=3)
            with pytest.raises(ValidationError):
                await table.upsert("bo", {"visits": 1})
            assert await table.update_field("ana", "visits", 4, ttl=90) is True
            assert await table.renew_ttl("ana") is True
            assert 30 < await make.create_table_cache().get_ttl(await table.current_table_name(), "ana") <= 60
            with pytest.raises(ValueError, match="ttl"):
                await TypedTableCache(make.create_table_cache(), "people", Profile).renew_ttl("ana")
            with pytest.raises(ValueError, match="colon"):
                TypedTableCache(make.create_table_cache(), "people", Profile, cache_space="a:b")
            assert await table.delete("ana") == 1
            assert await table.exists("ana") is False

        self.on_factory(body)

    def test_versioned_tables(self) -> None:
        """If rows of an old version were still seen, a menu that was taken back would still be offered."""

        async def body(make: CacheFactory) -> None:
            menu = VersionedTableCache(make.create_table_cache(), "menu", Profile)
            assert await menu.current_version() == 1
            await menu.upsert("tea", Profile(name="tea"))
            assert await menu.bump_version() == 2
            assert await menu.get("tea") is None
            await menu.upsert("pie", Profile(name="pie"))
            assert await menu.get_all() == [Profile(name="pie")]
            assert await menu.current_version() == 2

        self.on_factory(body)

    def test_another_inbox_is_refused(self) -> None:
        """If a handler could name any inbox, a typo would read another company's customers."""

        async def body(make: CacheFactory) -> None:
            await make.create_user_cache(inbox_id="106").upsert({"a": 1})
            assert await make.create_user_cache().get() == {"a": 1}
            for cache in (make.create_user_cache("107"), make.create_state_cache(inbox_id="globex")):
                with pytest.raises(ValueError, match="another inbox"):
                    await cache.get("k")
            with pytest.raises(ValueError, match="another inbox"):
                await make.create_table_cache("107").get_all("orders")
            with pytest.raises(ValueError, match="another inbox"):
                await make.create_state_cache().list_users_with_handler("107", "order")

        self.on_factory(body)
