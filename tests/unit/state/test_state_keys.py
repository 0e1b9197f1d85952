"""Names of rows: nobody reaches anybody else's, and a tenant's share a slot."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.state import CacheFactory, CacheScope, ICache, MemoryStore
from pipeline.state.keys import row_id, state_key, table_key, unit_key, user_key

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.sampled_from(
    [":", "a:b", "{x}", "%3A", "user", "a}:user:b", "*"]
)


@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(TEXT, TEXT, TEXT))
def test_different_owners_have_different_rows(a: tuple[str, str, str], b: tuple[str, str, str]) -> None:
    """If two owners' names met in one row, a tenant could read another's users."""
    assert (user_key(*a) == user_key(*b)) == (a == b)
    assert (state_key(*a) == state_key(*b)) == (a == b)
    assert (table_key(*a[:2]) == table_key(*b[:2])) == (a[:2] == b[:2])
    assert (row_id(*a[:2]) == row_id(*b[:2])) == (a[:2] == b[:2])
    assert len({user_key(*a), state_key(*a), table_key(*a[:2]), unit_key(*a[:2])}) == 4


@given(TEXT, TEXT, TEXT)
def test_all_rows_of_a_tenant_share_a_slot(tenant: str, contact: str, key: str) -> None:
    """If a tenant's rows had different hash tags, one script could not commit them on a Redis Cluster."""

    def tag(name: str) -> str:
        return name[name.index("{") + 1 : name.index("}")]

    names = [user_key(tenant, contact, key), state_key(tenant, contact, key), table_key(tenant, key)]
    assert len({tag(name) for name in [*names, unit_key(tenant, key)]}) == 1
    assert all(name.startswith("{" + tag(name) + "}:") for name in names)


def test_names_read_well() -> None:
    """If a name changed, every row that is stored today would be lost to the next release."""
    assert user_key("acme", "15550001111", "echo") == "{acme}:user:15550001111:echo"
    assert state_key("acme", "US.4815:x", "a:b") == "{acme}:state:US.4815%3Ax:a:b"
    assert table_key("acme", row_id("orders", "42")) == "{acme}:table:orders:42"
    assert unit_key("acme", "cloud:106:wamid.X") == "{acme}:unit:cloud:106:wamid.X"


def test_caches_of_tenants_users_and_kinds_are_apart() -> None:
    """If kinds of caches shared rows, a conversation's state would overwrite the user's profile."""

    async def body() -> None:
        store = MemoryStore()
        caches: list[ICache] = []
        for tenant in ("acme", "globex"):
            for user in ("1", "2"):
                factory = CacheFactory(lambda tenant=tenant, user=user: CacheScope(store, tenant, user))  # type: ignore[misc]
                caches += [factory.create_user_cache(), factory.create_state_cache()]
            caches.append(factory.create_table_cache())
        for number, cache in enumerate(caches):
            await cache.set("k", {"n": number})
        assert [await cache.get("k") for cache in caches] == [{"n": number} for number in range(len(caches))]

    asyncio.run(body())


def test_a_cache_of_nobody_says_so() -> None:
    """If an event about nobody shared one anonymous row, account events would mix with each other."""

    async def body() -> None:
        factory = CacheFactory(lambda: CacheScope(MemoryStore(), "acme", None))
        with pytest.raises(ValueError, match="whose"):
            await factory.create_user_cache().get("k")
        assert await factory.create_user_cache(user_id="15550001111").get("k") is None
        assert await factory.create_table_cache().get(ICache.create_table_key("orders", "1")) is None

    asyncio.run(body())
