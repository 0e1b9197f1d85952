"""The metrics of the lag of one app: one series for each partition that this process has, and each state."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from faust.types import TP

from pipeline.metrics import LAG_RECORDS, LAG_SECONDS
from pipeline.runtime.process.lag import PartitionLag

SENDABLE, HELD = "sendable", "held"


class LagMetric:
    """Sets the series of one app, and removes those of partitions that it has no more."""

    def __init__(self, app: str) -> None:
        self._app = app
        self._known: set[TP] = set()

    def set(self, lags: Mapping[TP, PartitionLag]) -> None:
        """Set the series of these partitions; remove all others."""
        self.retain(lags.keys())
        for tp, lag in lags.items():
            self._set(tp, SENDABLE, lag.sendable, lag.sendable_seconds)
            self._set(tp, HELD, lag.held, lag.held_seconds)
        self._known.update(lags)

    def retain(self, tps: Collection[TP]) -> None:
        """Remove the series of all partitions except `tps`, because they belong to other members now."""
        for tp in self._known.difference(tps):
            for state in (SENDABLE, HELD):
                LAG_RECORDS.remove(*self._labels(tp, state))
                self._forget_seconds(tp, state)
        self._known.intersection_update(tps)

    def _set(self, tp: TP, state: str, records: int, seconds: float | None) -> None:
        LAG_RECORDS.labels(*self._labels(tp, state)).set(records)
        if seconds is None:
            self._forget_seconds(tp, state)
        else:
            LAG_SECONDS.labels(*self._labels(tp, state)).set(seconds)

    def _forget_seconds(self, tp: TP, state: str) -> None:
        """Remove the series of an age. It is not there while the age is unknown."""
        labels = self._labels(tp, state)
        LAG_SECONDS.labels(*labels)  # of an unknown series, the client's `remove` would raise
        LAG_SECONDS.remove(*labels)

    def _labels(self, tp: TP, state: str) -> tuple[str, str, str, str]:
        return self._app, tp.topic, str(tp.partition), state
