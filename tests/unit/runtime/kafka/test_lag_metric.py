"""The series of lag: they come, change and go with the partitions of a worker."""

from __future__ import annotations

from faust.types import TP

from pipeline.metrics import LAG_RECORDS, LAG_SECONDS
from pipeline.runtime.kafka.lag_metric import LagMetric
from pipeline.runtime.process.lag import PartitionLag

TP0, TP1 = TP("in", 0), TP("in", 1)


def _series(app: str) -> dict[str, float]:
    """All series of an app, each as `name partition state`."""
    return {
        " ".join((sample.name[13:], sample.labels["partition"], sample.labels["state"])): sample.value
        for gauge in (LAG_RECORDS, LAG_SECONDS)
        for metric in gauge.collect()
        for sample in metric.samples
        if sample.labels["app"] == app
    }


def test_a_partition_that_moved_away_has_no_series_here() -> None:
    """Both workers would report it, and the sum that workers are scaled by would count it twice."""
    metric = LagMetric("series-of-lag")
    metric.set({TP0: PartitionLag(7, 30, 5, 20, 2, 30), TP1: PartitionLag(1, None, 1, None)})
    of_first = {"records 0 sendable": 5, "records 0 held": 2, "seconds 0 sendable": 20, "seconds 0 held": 30}
    # The unknown age of the second one's sendable record has no series.
    of_second = {"records 1 sendable": 1, "records 1 held": 0, "seconds 1 held": 0}
    assert _series("series-of-lag") == of_first | of_second
    metric.set({TP0: PartitionLag()})
    assert _series("series-of-lag") == dict.fromkeys(of_first, 0)
    metric.retain({TP1})
    assert _series("series-of-lag") == {}
