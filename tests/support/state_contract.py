"""The contract of caches and stores as tests: every backend inherits them, inside a unit of work and outside."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from pydantic import BaseModel

from pipeline.errors import Conflict
from pipeline.state import Cache, CacheFactory, CacheScope, Store
from pipeline.state.change import RowChange
from pipeline.state.rows import Rows
from pipeline.state.store import UnitRecord
from tests.support.waiting import HANG


class Profile(BaseModel):
    name: str
    visits: int = 0


class Step(StrEnum):
    MENU = "menu"


EXACT: dict[str, Any] = {
    "one": 1,
    "text one": "1",
    "zero": 0,
    "false": False,
    "true": True,
    "none": None,
    "null": "null",
    "float": 1.0,
    "nested": {"list": [1, "1", None, {"deep": []}], "empty": {}},
    "unicode": 'čaj 🍵 "quoted"\n',
    "largest": 2**63 - 1,
}


class StoreContract(ABC):
    """What every store does. A subclass says how to open one."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Store]: ...

    def on_store(self, test: Callable[[Store, str], Awaitable[None]]) -> None:
        async def run() -> None:
            async with self.open() as store:
                await test(store, f"{{test-{uuid4().hex}}}")

        asyncio.run(run())

    def test_a_commit_applies_everything_and_remembers_its_event(self) -> None:
        """If a commit left out one row, a handler's effects would be half done."""

        async def body(store: Store, tag: str) -> None:
            changes = [
                RowChange(f"{tag}:a", sets={"x": b"1"}),
                RowChange(f"{tag}:b", increments={"n": 2}, appends={"l": [b"1", b"2"]}),
            ]
            committed = await store.commit(changes, UnitRecord(f"{tag}:unit", b"[]", 60))
            assert committed.recorded is None
            assert [list(row.counters) for row in committed.applied] == [[], [2]]
            assert await store.row(f"{tag}:a") == {"x": b"1"}
            assert await store.row(f"{tag}:b") == {"n": b"2", "l": b"[1,2]"}
            assert await store.recorded(f"{tag}:unit") == b"[]"
            assert 0 < await store.ttl(f"{tag}:unit") <= 60

        self.on_store(body)

    def test_records_without_changes_are_each_their_own(self) -> None:
        """If events that did nothing at the same moment shared a record, some would be handled again, or never."""

        async def body(store: Store, tag: str) -> None:
            names = [f"{tag}:unit:{number}" for number in range(20)]
            await store.commit((), UnitRecord(names[3], b'["done"]', 60))
            found = await asyncio.gather(*(store.commit((), UnitRecord(name, b"[ ]", 60)) for name in names))
            assert [each.recorded for each in found] == [b'["done"]' if number == 3 else None for number in range(20)]
            assert await store.recorded(names[3]) == b'["done"]'
            assert await store.recorded(names[4]) == b"[ ]"
            assert 0 < await store.ttl(names[4]) <= 60
            first, second = await asyncio.gather(
                *(store.commit((), UnitRecord(f"{tag}:unit:x", b"[ ]", 60)) for _ in "ab")
            )
            assert (first.recorded, second.recorded) == (None, b"[ ]")

        self.on_store(body)

    def test_records_expire_together(self) -> None:
        """If records of events that will not come again stayed for a week, they would fill Redis."""

        async def body(store: Store, tag: str) -> None:
            names = [f"{tag}:unit:{number}" for number in range(3)]
            for name in names:
                await store.commit((), UnitRecord(name, b"[ ]", 600))
            await store.expire_records([*names[:2], f"{tag}:unit:unheard-of"], 60)
            assert [0 < await store.ttl(name) <= 60 for name in names] == [True, True, False]
            assert await store.recorded(names[0]) == b"[ ]"
            assert await store.recorded(f"{tag}:unit:unheard-of") is None
            await store.expire_records([], 60)

        self.on_store(body)

    def test_a_record_replaces_the_one_that_it_names_and_no_other(self) -> None:
        """If it did not, nothing that was given up could be re-driven; if it replaced any, effects would be doubled."""

        async def body(store: Store, tag: str) -> None:
            for number, changes in enumerate(([], [RowChange(f"{tag}:a", increments={"n": 1})])):
                name = f"{tag}:unit:{number}"
                await store.commit((), UnitRecord(name, b"{}", 60))
                kept = await store.commit(changes, UnitRecord(name, b"[ ]", 600, replaces=b"{ }"))
                assert kept.recorded == b"{}"
                assert await store.row(f"{tag}:a") is None
                put = await store.commit(changes, UnitRecord(name, b"[ ]", 600, replaces=b"{}"))
                assert put.recorded is None
                assert await store.recorded(name) == b"[ ]"
                assert await store.ttl(name) > 60
            assert await store.row(f"{tag}:a") == {"n": b"1"}

        self.on_store(body)

    def test_a_second_commit_of_an_event_changes_nothing(self) -> None:
        """If it did, an event handled by two workers during a rebalance would count twice."""

        async def body(store: Store, tag: str) -> None:
            change = RowChange(f"{tag}:a", increments={"n": 1})
            await store.commit([change], UnitRecord(f"{tag}:unit", b"first", 60))
            again = await store.commit([change], UnitRecord(f"{tag}:unit", b"second", 60))
            assert again.recorded == b"first"
            assert await store.row(f"{tag}:a") == {"n": b"1"}

        self.on_store(body)

    def test_a_conflict_applies_nothing(self) -> None:
        """If rows before the conflicting one were written, the retried event would find its own half effects."""

        async def body(store: Store, tag: str) -> None:
            await store.put(f"{tag}:b", "n", b'"text"', None)
            changes = [RowChange(f"{tag}:a", sets={"x": b"1"}), RowChange(f"{tag}:b", increments={"n": 1})]
            with pytest.raises(Conflict):
                await store.commit(changes, UnitRecord(f"{tag}:unit", b"[]", 60))
            assert await store.row(f"{tag}:a") is None
            assert await store.recorded(f"{tag}:unit") is None
            with pytest.raises(Conflict):
                await store.commit([RowChange(f"{tag}:b", appends={"n": [b"1"]})])

        self.on_store(body)

    def test_groups_list_what_is_there(self) -> None:
        """If a group kept what is gone or missed what is new, lists would show ghosts or hide orders."""

        async def body(store: Store, tag: str) -> None:
            group = f"{tag}:group:table:orders"
            names = [f"{tag}:table:orders:{number}" for number in range(3)]
            for name in (*names, f"{tag}:table:others:1", f"{tag}:table:loose", f"{tag}:state:orders:1"):
                await store.put(name, "x", b"1", 60)
            assert await store.keys(group) == names
            await store.remove(names[0])
            await store.replace(names[1], {"x": b"2"}, None)
            assert await store.keys(group) == names[1:]
            assert await store.keys(f"{tag}:group:table") == [*names[1:], f"{tag}:table:others:1"]
            assert await store.keys(f"{tag}:group:table:none") == []

        self.on_store(body)

    def test_a_row_expires_to_the_second_and_leaves_its_groups(self) -> None:
        """If one backend kept rows longer than another, or listed them, sessions would end here and not there."""

        async def body(store: Store, tag: str) -> None:
            started = time.monotonic()
            await store.put(f"{tag}:table:orders:1", "x", b"1", 1)
            await store.put(f"{tag}:table:orders:2", "x", b"1", None)
            assert await store.ttl(f"{tag}:table:orders:1") in (0, 1) or time.monotonic() - started >= 1
            async with asyncio.timeout(HANG):
                while await store.exists(f"{tag}:table:orders:1"):  # noqa: ASYNC110 (a store sets no events)
                    await asyncio.sleep(0.02)
            assert time.monotonic() - started >= 0.99
            assert await store.ttl(f"{tag}:table:orders:1") == -2
            assert await store.keys(f"{tag}:group:table:orders") == [f"{tag}:table:orders:2"]

        self.on_store(body)

    def test_an_event_without_a_record_is_new(self) -> None:
        """If an unknown event looked finished, its handler would never run."""

        async def body(store: Store, tag: str) -> None:
            assert await store.recorded(f"{tag}:unit") is None
            await store.ping()

        self.on_store(body)


class CacheContract(ABC):
    """What every cache does. A subclass says how to open rows: a store's own, or a unit of work's."""

    atomic_answers: ClassVar[bool] = True
    """Whether concurrent increments are answered one by one; a unit of work answers with what its event sees."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Rows]: ...

    def on_cache(self, test: Callable[[Cache], Awaitable[None]]) -> None:
        """Every test of rows by key holds for all caches that have keys."""

        async def each(make: CacheFactory) -> None:
            await test(make.create_user_cache())
            await test(make.create_state_cache())
            await test(make.create_ai_state_cache())
            await test(make.create_table_cache())

        self.on_factory(each)

    def on_factory(self, test: Callable[[CacheFactory], Awaitable[None]]) -> None:
        async def run() -> None:
            async with self.open() as rows:
                tenant = f"test-{uuid4().hex}"
                await test(CacheFactory(lambda: CacheScope(rows, tenant, "15550001111", "106")))

        asyncio.run(run())

    def test_what_was_set_is_read_back(self) -> None:
        """If a stored row did not come back, every conversation would start from the beginning."""

        async def body(cache: Cache) -> None:
            assert await cache.get("k") is None
            assert await cache.exists("k") is False
            assert await cache.set("k", {"step": "menu"}) is True
            assert await cache.get("k") == {"step": "menu"}
            assert await cache.exists("k") is True

        self.on_cache(body)

    def test_types_survive_exactly(self) -> None:
        """If `"1"` came back as True, as in some backends, a handler's comparisons would lie."""

        async def body(cache: Cache) -> None:
            await cache.set("k", EXACT)
            back = await cache.get("k")
            assert back == EXACT
            assert {name: type(value) for name, value in (back or {}).items()} == {
                name: type(value) for name, value in EXACT.items()
            }
            await cache.set_field("k", "enum", Step.MENU)
            assert await cache.get_field("k", "enum") == Step.MENU

        self.on_cache(body)

    @pytest.mark.parametrize("value", [(1, 2), float("nan"), {1, 2}, b"x", object(), 2**70, {1: "int key"}])
    def test_what_would_change_is_refused(self, value: object) -> None:
        """If a tuple silently came back as a list, the bug would show days later, far from its cause."""

        async def body(cache: Cache) -> None:
            with pytest.raises(TypeError):
                await cache.set_field("k", "f", value)
            with pytest.raises(TypeError):
                await cache.set("k", {"f": value})
            assert await cache.exists("k") is False

        self.on_cache(body)

    def test_set_replaces_the_row(self) -> None:
        """If one backend merged and another replaced, moving to production would change what handlers see."""

        async def body(cache: Cache) -> None:
            await cache.set("k", {"a": 1, "b": 2})
            await cache.set("k", {"b": 3})
            assert await cache.get("k") == {"b": 3}
            await cache.upsert("k", {"c": 4})
            assert await cache.get("k") == {"c": 4}

        self.on_cache(body)

    def test_an_empty_row_is_a_row(self) -> None:
        """If an empty dict vanished, `exists` would say that a user was never here."""

        async def body(cache: Cache) -> None:
            await cache.set("k", {})
            assert await cache.get("k") == {}
            assert await cache.exists("k") is True
            await cache.set_field("k", "a", 1)
            assert await cache.get("k") == {"a": 1}

        self.on_cache(body)

    def test_models_go_in_and_come_out(self) -> None:
        """If typed rows did not work, handlers with pydantic models could not move over."""

        async def body(cache: Cache) -> None:
            await cache.set("k", Profile(name="Ana", visits=2))
            assert await cache.get("k", models=Profile) == Profile(name="Ana", visits=2)
            assert await cache.get("other", models=Profile) is None

        self.on_cache(body)

    def test_returned_values_are_the_callers_own(self) -> None:
        """If the cache handed out live references, changing a result would change every later reader's row."""

        async def body(cache: Cache) -> None:
            given: dict[str, Any] = {"list": [1]}
            await cache.set("k", given)
            given["list"].append(2)
            row = await cache.get("k")
            assert row == {"list": [1]}
            row["list"].append(3)
            assert await cache.get("k") == {"list": [1]}
            (await cache.get_field("k", "list")).append(4)
            assert await cache.get_field("k", "list") == [1]

        self.on_cache(body)

    def test_fields_alone(self) -> None:
        """If setting one field touched the others, two steps of a form would overwrite each other."""

        async def body(cache: Cache) -> None:
            assert await cache.get_field("k", "a") is None
            assert await cache.set_field("k", "a", 1) is True
            assert await cache.update_field("k", "b", [1]) is True
            assert await cache.get("k") == {"a": 1, "b": [1]}
            assert await cache.get_field("k", "c") is None

        self.on_cache(body)

    def test_counting(self) -> None:
        """If a counter did not count from zero, or counted on text, statistics of users would be wrong."""

        async def body(cache: Cache) -> None:
            assert await cache.increment_field("k", "n") == 1
            assert await cache.increment_field("k", "n", 5) == 6
            assert await cache.increment_field("k", "n", -10) == -4
            assert await cache.get_field("k", "n") == -4
            await cache.set("k", {"n": 7, "text": "7", "float": 7.0, "large": 10**16})
            assert await cache.increment_field("k", "n") == 8
            for field in ("text", "float", "large"):
                assert await cache.increment_field("k", field) is None
            assert await cache.get("k") == {"n": 8, "text": "7", "float": 7.0, "large": 10**16}
            with pytest.raises(ValueError, match="whole number"):
                await cache.increment_field("k", "n", 10**15)

        self.on_cache(body)

    def test_concurrent_counts_are_all_counted(self) -> None:
        """If concurrent increments overwrote each other, as JSON files elsewhere do, 50 events would count as 1."""

        async def body(cache: Cache) -> None:
            answers = await asyncio.gather(*(cache.increment_field("k", "n") for _ in range(50)))
            assert await cache.get_field("k", "n") == 50
            if self.atomic_answers:
                assert sorted(answers, key=int) == list(range(1, 51))  # type: ignore[arg-type]

        self.on_cache(body)

    def test_appending(self) -> None:
        """If appending broke a list or hit another type, carts would lose their items."""

        async def body(cache: Cache) -> None:
            assert await cache.append_to_list("k", "cart", {"item": 1}) is True
            assert await cache.append_to_list("k", "cart", "two, [three]") is True
            assert await cache.get_field("k", "cart") == [{"item": 1}, "two, [three]"]
            await cache.set_field("k", "cart", [])
            assert await cache.append_to_list("k", "cart", None) is True
            assert await cache.get_field("k", "cart") == [None]
            await cache.set_field("k", "text", "[not a list]")
            assert await cache.append_to_list("k", "text", 1) is False
            assert await cache.get_field("k", "text") == "[not a list]"

        self.on_cache(body)

    def test_deleting(self) -> None:
        """If deleting said True for nothing, a handler could not tell a finished order from none."""

        async def body(cache: Cache) -> None:
            assert await cache.delete("k") is False
            await cache.set("k", {"a": 1, "n": 5})
            assert await cache.delete("k") is True
            assert await cache.get("k") is None
            assert await cache.delete("k") is False
            assert await cache.increment_field("k", "n") == 1
            assert await cache.get("k") == {"n": 1}

        self.on_cache(body)

    def test_expiry_follows_one_rule(self) -> None:
        """If a write without ttl cleared the expiry in one backend only, sessions would live for ever there."""

        async def body(cache: Cache) -> None:
            assert await cache.get_ttl("k") == -2
            assert await cache.set_ttl("k", 60) is False
            await cache.set("k", {"a": 1})
            assert await cache.get_ttl("k") == -1
            assert await cache.set_ttl("k", 60) is True
            await cache.set_field("k", "b", 2)
            await cache.increment_field("k", "n")
            assert 30 < await cache.get_ttl("k") <= 60
            await cache.append_to_list("k", "l", 1, ttl=120)
            assert 60 < await cache.get_ttl("k") <= 120
            assert await cache.renew_ttl("k", 30) is True
            assert 10 < await cache.get_ttl("k") <= 30
            await cache.set("k", {"a": 1})
            assert await cache.get_ttl("k") == -1
            await cache.delete("k")
            assert await cache.get_ttl("k") == -2
            await cache.set_field("k", "a", 1, ttl=10)
            assert 0 < await cache.get_ttl("k") <= 10

        self.on_cache(body)

    @pytest.mark.parametrize("ttl", [0, -1, 1.5])
    def test_a_senseless_ttl_is_refused(self, ttl: Any) -> None:
        """If a ttl of 0 deleted in one backend and kept for ever in another, nobody could rely on either."""

        async def body(cache: Cache) -> None:
            with pytest.raises(ValueError, match="whole number of seconds"):
                await cache.set("k", {"a": 1}, ttl=ttl)
            with pytest.raises(ValueError, match="whole number of seconds"):
                await cache.set_ttl("k", ttl)

        self.on_cache(body)

    def test_keys_and_fields_may_hold_anything(self) -> None:
        """If a colon, a brace or a newline in a key reached another row, one user could read another's."""

        async def body(cache: Cache) -> None:
            keys = ["a:b", "a", "{x}", "a b\n", "user:1555:data", "ключ", "*", "%3A"]
            for number, key in enumerate(keys):
                await cache.set(key, {key: number})
            for number, key in enumerate(keys):
                assert await cache.get(key) == {key: number}
            for wrong in ("", None):
                with pytest.raises(ValueError, match="key"):
                    await cache.get(wrong)  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="empty"):
                await cache.set_field("k", "", 1)
            with pytest.raises(TypeError):
                await cache.set("k", {1: "x"})  # type: ignore[dict-item]
            with pytest.raises(TypeError):
                await cache.set("k", ["no row"])  # type: ignore[arg-type]

        self.on_cache(body)
