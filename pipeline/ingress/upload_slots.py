"""The uploads that one ingress process receives at once, and each tenant's share of them. Pure logic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MAX_UPLOADS: Final = 32
"""Uploads that are received at once. Each holds one piece of its file, in the worst case three times."""
TENANT_SHARE: Final = 2
"""Divisor of these for one tenant's, so that one that uploads slowly leaves room for others."""
RETRY_AFTER: Final = 2.0
"""Seconds after which a tenant whose uploads take its share may ask again."""


class UploadSlots:
    """Counts the uploads in progress."""

    def __init__(self, total: int = MAX_UPLOADS) -> None:
        self._total = total
        self._share = max(1, total // TENANT_SHARE)
        self._by_tenant: Counter[str] = Counter()

    @property
    def is_full(self) -> bool:
        """True if there is no slot for anybody."""
        return self._by_tenant.total() >= self._total

    def is_at_share(self, tenant_id: str) -> bool:
        """Return True if the tenant uses all that it may."""
        return self._by_tenant[tenant_id] >= self._share

    @contextmanager
    def taken(self, tenant_id: str) -> Iterator[None]:
        """Take a slot inside the block."""
        self._by_tenant[tenant_id] += 1
        try:
            yield
        finally:
            self._by_tenant[tenant_id] -= 1
            if not self._by_tenant[tenant_id]:
                del self._by_tenant[tenant_id]
