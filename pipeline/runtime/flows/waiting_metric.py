"""The metrics of what waits in one app: by partition, and by the accounts of which most waits."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import Counter
from collections.abc import Collection, Mapping

from prometheus_client import Gauge

from pipeline.metrics import (
    ACCOUNTS_HELD,
    HELD_SECONDS,
    TOP,
    TOP_HELD_SECONDS,
    TOP_WAITING_RECORDS,
    WAITING_RECORDS,
    Labels,
    OwnSeries,
)
from pipeline.runtime.flows.fairness import FairKey
from pipeline.runtime.flows.waits import Place, Wait, Waits, add, by_account

Records = Mapping[Place, Mapping[str, int]]
"""Numbers of records, by place and what they wait for."""


class WaitingMetric:
    """Collects what waits in the flows of an app, and shows it."""

    def __init__(self, app: str) -> None:
        self._app = app
        gauges = WAITING_RECORDS, HELD_SECONDS, TOP_WAITING_RECORDS, TOP_HELD_SECONDS, ACCOUNTS_HELD
        self._series = {gauge: OwnSeries(gauge) for gauge in gauges}
        self._partitions: dict[Labels, Wait] = {}
        self._places: Waits = {}

    def add(self, source: str, partitions: Collection[int], waits: Waits) -> None:
        """Add one flow. What is not among `partitions` is left out: it belongs to another worker now."""
        for place, found in waits.items():
            if place[0] in partitions:
                labels: Labels = (self._app, source, str(place[0]))
                add(self._partitions, {(*labels, held_by): wait for held_by, wait in found.items()})
                add(self._places.setdefault(place, {}), found)

    def show(self) -> tuple[Records, list[FairKey]]:
        """Set the metrics to what was added since the last call; remove the series of everything else.

        Return the records by place, and the tenant and account of those of which most waits.
        """
        partitions, places = self._partitions, self._places
        self._partitions, self._places = {}, {}
        accounts = by_account(places)
        top = _largest(accounts)
        tops: dict[Labels, Wait] = {
            (self._app, *name, each): wait for name in top for each, wait in accounts[name].items()
        }
        self._show(WAITING_RECORDS, HELD_SECONDS, partitions)
        self._show(TOP_WAITING_RECORDS, TOP_HELD_SECONDS, tops)
        held = Counter[Labels]((self._app, each) for waits in accounts.values() for each in waits)
        self._series[ACCOUNTS_HELD].set(held)
        return {place: {each: wait.records for each, wait in waits.items()} for place, waits in places.items()}, top

    def _show(self, records: Gauge, seconds: Gauge, waits: Mapping[Labels, Wait]) -> None:
        now = asyncio.get_running_loop().time()
        self._series[records].set({labels: wait.records for labels, wait in waits.items()})
        known = {labels: wait.ends_at for labels, wait in waits.items() if math.isfinite(wait.ends_at)}
        self._series[seconds].set({labels: max(0.0, ends_at - now) for labels, ends_at in known.items()})


def _largest(accounts: Mapping[FairKey, Mapping[str, Wait]]) -> list[FairKey]:
    return heapq.nlargest(TOP, accounts, key=lambda name: sum(wait.records for wait in accounts[name].values()))
