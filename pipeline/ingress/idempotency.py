"""Remember each idempotency key with the body sent under it: a second request under it must say the same.

Whether a send happens once does not depend on this: all requests under one key are one event, with one id. The record
makes another body under the key an error instead of a send that silently never happens.

A request records its fingerprint before it publishes anything. So a process that dies in between leaves the key to the
same request, which is then published. Two requests that say the same at the same time are both published, as one event,
and get the same answer.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from pipeline.handlers.results import SendResult
from pipeline.handlers.unit_of_work import RETRY_SPAN
from pipeline.ingress.send_errors import InvalidSend
from pipeline.state.keys import idempotency_key
from pipeline.state.store import Store, UnitRecord
from pipeline.topics.types import Json

_PLACE: Final = frozenset({"id", "partition", "first", "last"})
"""Fields that say where an upload is, not what it is."""


class KeyUse(NamedTuple):
    """The first use of an idempotency key.

    Attributes:
        fingerprint: hash of what was sent.
        at: when it was queued, ISO 8601.
        upload: the file that was sent, as it is stored.
    """

    fingerprint: str
    at: str
    upload: Json | None = None

    def require_same(self, content: Json, result: SendResult) -> SendResult:
        """Let an event of the same send have the file that is stored, and return the answer of the first time.

        Raises `InvalidSend` (409) for another send.
        """
        if self.fingerprint != _fingerprint(content):
            raise InvalidSend.because(
                "this Idempotency-Key belongs to another send: take a new key for what is new", 409, "KEY_REUSED"
            )
        if self.upload is not None:
            content["upload"] = self.upload
        return replace(result, timestamp=datetime.fromisoformat(self.at))


class KeyUses:
    """Records the first use of each key in a store that all ingress processes share.

    Its methods raise `Unavailable` while the store is away.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, tenant_id: str, event_id: str) -> KeyUse | None:
        """Return the first use of a key; None if it is not used yet."""
        found = await self._store.recorded(idempotency_key(tenant_id, event_id))
        return None if found is None else _decode(found)

    async def record(self, tenant_id: str, content: Json, result: SendResult) -> SendResult:
        """Record the use of a key by an event. If it was used before, do as `KeyUse.require_same` does."""
        key = idempotency_key(tenant_id, content["event_id"])
        use = (_fingerprint(content), result.timestamp.isoformat(), content.get("upload"))
        done = await self._store.commit((), UnitRecord(key, orjson.dumps(use), RETRY_SPAN))
        return result if done.recorded is None else _decode(done.recorded).require_same(content, result)


def _fingerprint(content: Json) -> str:
    said = [content[name] for name in ("provider", "account", "path", "request_payload")]
    file = {name: value for name, value in (content.get("upload") or {}).items() if name not in _PLACE}
    return hashlib.sha256(orjson.dumps([*said, file], option=orjson.OPT_SORT_KEYS)).hexdigest()


def _decode(content: bytes) -> KeyUse:
    found: list[Any] = orjson.loads(content)
    return KeyUse(*found[:3])
