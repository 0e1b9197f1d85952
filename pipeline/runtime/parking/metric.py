"""The metrics of the parked records of one app."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

from prometheus_client import Gauge

from pipeline.metrics import (
    PARKED_BYTES,
    PARKED_RECORDS,
    PARKED_SECONDS,
    PARKING_USED,
    TOP,
    TOP_RECORDS,
    TOP_SECONDS,
    Labels,
    OwnSeries,
)
from pipeline.runtime.parking.queues import NOTHING_PARKED, ParkedSize
from pipeline.runtime.parking.view import ParkedView


class ParkedMetric:
    """Collects what the flows of an app have parked, and shows it."""

    def __init__(self, app: str) -> None:
        self._app = app
        self._series = {
            gauge: OwnSeries(gauge)
            for gauge in (PARKED_RECORDS, PARKED_BYTES, PARKED_SECONDS, PARKING_USED, TOP_RECORDS, TOP_SECONDS)
        }
        self._partitions: dict[Labels, ParkedSize] = {}
        self._accounts: dict[Labels, ParkedSize] = {}
        self._used: dict[Labels, float] = {}

    def add(self, source: str, partitions: Collection[int], view: ParkedView, used: float | None) -> None:
        """Add one flow. A partition without parked records is shown as 0, one that is not among `partitions` is not."""
        if used is None:
            return
        sizes = view.sizes()
        for partition in partitions:
            self._partitions[self._app, source, str(partition)] = sizes.get(partition, NOTHING_PARKED)
        for (group, account), size in view.accounts(partitions, TOP).items():
            known = self._accounts.get((self._app, group, account), NOTHING_PARKED)
            self._accounts[self._app, group, account] = known.plus(size)
        if partitions:
            self._used[self._app, source] = used

    def show(self) -> None:
        """Set the metrics to what was added since the last call; remove the series of everything else."""
        partitions, accounts, used = self._partitions, self._accounts, self._used
        self._partitions, self._accounts, self._used = {}, {}, {}
        top = dict(sorted(accounts.items(), key=lambda pair: pair[1].records, reverse=True)[:TOP])
        self._set(PARKED_RECORDS, {labels: size.records for labels, size in partitions.items()})
        self._set(PARKED_BYTES, {labels: size.size for labels, size in partitions.items()})
        self._set(PARKED_SECONDS, _ages(partitions))
        self._set(PARKING_USED, used)
        self._set(TOP_RECORDS, {labels: size.records for labels, size in top.items()})
        self._set(TOP_SECONDS, _ages(top))

    def _set(self, gauge: Gauge, values: Mapping[Labels, Any]) -> None:
        self._series[gauge].set(values)


def _ages(sizes: Mapping[Labels, ParkedSize]) -> dict[Labels, float]:
    """Return the age of the oldest record of each, in seconds: 0 without records. An unknown one is left out."""
    now = time.time() * 1000
    return {
        labels: 0.0 if size.oldest is None else max(0.0, (now - size.oldest) / 1000)
        for labels, size in sizes.items()
        if size.oldest is not None or not size.records
    }
