"""Whether a cache takes a call as Wappa's documents make it: by calling it, by position and by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from pipeline.state import (
    CacheFactory,
    CacheScope,
    IAIStateCache,
    IExpiryCache,
    IStateCache,
    ITableCache,
    IUserCache,
    MemoryStore,
)
from pipeline.state.keys import group


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


CACHES: Final[dict[str, type]] = {
    "IUserCache": IUserCache,
    "IStateCache": IStateCache,
    "ITableCache": ITableCache,
    "IAIStateCache": IAIStateCache,
    "IExpiryCache": IExpiryCache,
}
_FACTORIES: Final[dict[str, Callable[[CacheFactory], Any]]] = {
    "IUserCache": CacheFactory.create_user_cache,
    "IStateCache": CacheFactory.create_state_cache,
    "ITableCache": CacheFactory.create_table_cache,
    "IAIStateCache": CacheFactory.create_ai_state_cache,
    "IExpiryCache": CacheFactory.create_expiry_cache,
}
_WHOSE: Final = {"handler_name": "h", "agent_name": "h", "table_name": "t", "pkid": "1", "inbox_id": "106"}
_ROW: Final = {"n": 1, "field": ["x"]}
_VALUES: Final[dict[str, Any]] = {
    **_WHOSE,
    "data": {"n": 2},
    "state_data": {"m": 2},
    "expected": {"n": 1},
    "field": "field",
    "value": ["y"],
    "increment": 3,
    "ttl": 60,
    "models": Anything,
    "prefix": "h",
    "action": "remind",
    "identifier": "order",
    "ttl_seconds": 60,
}

Outcome = tuple[Any, dict[str, Any]]


def takes(owner: str, method: str, parameters: Sequence[str]) -> bool:
    """Whether the call means something, and the same by position and by name."""
    values = {name: _VALUES[name] for name in parameters}
    if method == "increment_field":
        values["field"] = "n"
    return asyncio.run(_both(owner, method, values))


async def _both(owner: str, method: str, values: dict[str, Any]) -> bool:
    try:
        by_place = await _outcome(owner, method, list(values.values()), {})
        return by_place == await _outcome(owner, method, [], values) and _meant(method, by_place)
    except (TypeError, ValueError, AttributeError):
        return False


def _meant(method: str, outcome: Outcome) -> bool:
    """Whether the call met the row that was there, or wrote it."""
    return method == "create_if_absent" or outcome[0] not in (None, False, 0, -2, [])


async def _outcome(owner: str, method: str, args: Sequence[Any], named: dict[str, Any]) -> Outcome:
    """What a call answers, and all rows with their expiry afterwards. There is one row before it."""
    store = MemoryStore(lambda: 0.0)
    cache = _FACTORIES[owner](CacheFactory(lambda: CacheScope(store, "acme", "1555", "106")))
    await _prepare(owner, cache)
    answer = await getattr(cache, method)(*args, **named)
    names = [name for kind in ("user", "state", "table", "aistate", "expiry") for name in await _names(store, kind)]
    return answer, {name: (await store.row(name), await store.ttl(name)) for name in names}


async def _prepare(owner: str, cache: Any) -> None:
    if owner == "IExpiryCache":
        await cache.set("remind", "order", 90)
    else:
        whose = {"IStateCache": "h", "IAIStateCache": "h"}.get(owner)
        keys = ["t", "1"] if owner == "ITableCache" else [whose] if whose else []
        await cache.upsert(*keys, _ROW, ttl=90)


async def _names(store: MemoryStore, kind: str) -> list[str]:
    return await store.keys(group("acme", kind))
