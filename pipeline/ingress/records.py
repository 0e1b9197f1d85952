"""Build the records of a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from pipeline.providers.base import Slice
from pipeline.tenants import Tenants
from pipeline.topics import headers
from pipeline.topics.catalogue import RAW
from pipeline.topics.records import Header, Record

MAX_NAME_LENGTH: Final = 1024
"""Characters of a key or an account id. No provider has longer ones, and a longer one may not fit into a record."""


class IngressMetadata(NamedTuple):
    """Metadata that all records of a webhook share.

    Attributes:
        tenant_id: from the path, for providers that have it there.
        at_ms: when the last byte was read, ms since the epoch.
        trace: `traceparent`.
    """

    provider: str
    tenant_id: str | None
    webhook_id: bytes
    at_ms: int
    trace: bytes


class RecordBuilder:
    """Builds records from slices. Only the trace of the request is copied, because its headers contain secrets."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants
        self._origin = lru_cache(maxsize=65_536)(self._make_origin)

    def build(self, slices: Sequence[Slice], metadata: IngressMetadata) -> list[Record]:
        """Return one record per slice."""
        provider, tenant_id, webhook, at_ms, trace = metadata
        shared: list[Header] = [
            (headers.WEBHOOK_ID, webhook),
            (headers.RECEIVED_AT, b"%d" % at_ms),
            (headers.TRACEPARENT, trace),
        ]
        made = [
            Record(
                RAW.name,
                _named(key, provider).encode(),
                body,
                [*shared, *self._origin(provider, _named(account), tenant_id)],
            )
            for key, account, body in slices
        ]
        return made if len(made) == 1 else [_numbered(record, i, len(made)) for i, record in enumerate(made, 1)]

    def _make_origin(self, provider: str, account: str, tenant_id: str | None) -> tuple[Header, ...]:
        owner = self._tenants.owner(provider, account)
        tenant = tenant_id or (owner.id if owner else None)
        named = {headers.PROVIDER: provider, headers.ACCOUNT: account, headers.TENANT: tenant}
        return tuple((name, text.encode()) for name, text in named.items() if text)


def webhook_id(body: bytes) -> bytes:
    """Return an id that depends on the bytes only, so that an identical redelivery has the same id."""
    return b"wh-" + blake2b(body, digest_size=16).hexdigest().encode()


def _named(name: str, instead: str = "") -> str:
    return name if len(name) <= MAX_NAME_LENGTH else instead


def _numbered(record: Record, i: int, k: int) -> Record:
    return record._replace(headers=[*record.headers, (headers.SLICE, b"%d/%d" % (i, k))])
