"""The rows of agents beside the handlers are apart from the tenant's, on every backend that has files or slots."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pipeline.state import CacheFactory, CacheScope, Store, open_store
from pipeline.state.keys import agent_space, groups, table_key, tenant_of, unit_key

SPACE = agent_space("acme", "visits")


def test_a_space_is_a_slot_of_its_own() -> None:
    """Redis Cluster would refuse a commit over two slots, or an agent would change the bot's rows."""
    rows = [table_key(SPACE, "visits:15550001111"), unit_key(SPACE, "cloud:1:wamid.1")]
    assert {row.partition("}")[0] for row in rows} == {"{acme%2Fvisits"}
    assert groups(rows[0]) == ("{acme%2Fvisits}:group:table", "{acme%2Fvisits}:group:table:visits")
    assert (tenant_of(SPACE), tenant_of("acme")) == ("acme", "acme")


def test_rows_of_a_tenant_and_of_its_agents_do_not_meet(tmp_path: Path) -> None:
    """An agent's counter would be the bot's, and each would conflict with the other's unit of work."""

    async def run(store: Store) -> list[object]:
        tables = [
            CacheFactory(lambda owner=owner: CacheScope(store, owner, None, "106")).create_table_cache(named)  # type: ignore[misc]
            for owner, named in (("acme", None), (SPACE, "acme"), (agent_space("acme", "crm"), "106"))
        ]
        for count, table in enumerate(tables, 1):
            await table.increment_field("visits", "15550001111", "texts", count)
        found: list[object] = [await table.get("visits", "15550001111") for table in tables]
        await store.close()
        return found

    for backend in ("memory", "json"):
        store = open_store(backend, "", tmp_path / backend, 0)
        assert asyncio.run(run(store)) == [{"texts": 1}, {"texts": 2}, {"texts": 3}]
