"""Reports of requests that are rejected because their tenant is over a quota or its share."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Final

from pipeline.logging import get_logger
from pipeline.metrics import OVER_QUOTA

LOG_INTERVAL: Final = 60.0
"""Seconds between two log lines about one quota."""

_log = get_logger(__name__)


class Quota(StrEnum):
    """The limits of a tenant at the ingress."""

    SENDS = "sends"
    """All sends over the HTTP API."""
    INTERACTIVE = "interactive"
    """Interactive sends over the HTTP API."""
    UPLOADS = "uploads"
    """Sends with a file over the HTTP API, at once."""
    WEBHOOKS = "webhooks"
    """The tenant's share of an ingress that is full."""


class Rejections:
    """Counts every rejection, and logs one a minute for each quota."""

    def __init__(self) -> None:
        self._logged_at: dict[Quota, float] = {}
        self._unlogged: dict[Quota, int] = {}

    def report(self, tenant: str, quota: Quota) -> None:
        """Report one rejection."""
        OVER_QUOTA.labels(tenant, quota.value).inc()
        now = time.monotonic()
        self._unlogged[quota] = self._unlogged.get(quota, 0) + 1
        if now - self._logged_at.get(quota, float("-inf")) < LOG_INTERVAL:
            return
        self._logged_at[quota] = now
        _log.warning(
            "tenant_over_quota",
            detail="requests are rejected; pipeline_over_quota_total counts them by tenant",
            tenant=tenant,
            quota=quota.value,
            rejected=self._unlogged.pop(quota),
        )
