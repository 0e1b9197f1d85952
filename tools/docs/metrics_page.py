"""`docs/metrics.md`, generated from `pipeline.metrics` and the rules of `docs/alerts.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import yaml
from prometheus_client.metrics import MetricWrapperBase

from pipeline import metrics

_ALERTS: Final = Path(__file__).parents[2] / "docs" / "alerts.yaml"

_HEAD: Final = """\
# Metrics

Every process serves its metrics at `/metrics`, in Prometheus' text format.
`pipeline up` prints the addresses.
[`PIPELINE_WORKER_PORT`](configuration.md#pipeline_worker_port) sets the port of a worker.
The rules of [alerts.yaml](alerts.yaml) fire on them, and [operations](operations.md) says what to do then.
[dashboard.json](dashboard.json) shows every one in Grafana: [load both](operations.md#rules-and-dashboard).
No label holds a phone number, an id or a text.
This page is generated from the code by `make reference`.
"""

_QUERIES: Final = {
    "counter": "sum{by} (rate({name}[5m]))",
    "gauge": "max{by} ({name})",
    "histogram": "histogram_quantile(0.99, sum by ({labels}) (rate({name}_bucket[5m])))",
}
"""A query to begin with, by type."""


class Metric(NamedTuple):
    """One metric, as its reader meets it."""

    name: str
    kind: str
    about: str
    labels: tuple[str, ...]

    @property
    def query(self) -> str:
        by = f" by ({', '.join(self.labels)})" if self.labels else ""
        return _QUERIES[self.kind].format(name=self.name, by=by, labels=", ".join(("le", *self.labels)))


def known() -> list[Metric]:
    """Return every metric of the pipeline, by name."""
    wrappers = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    return sorted(metric_of(each) for each in wrappers)


def metric_of(wrapper: MetricWrapperBase) -> Metric:
    """Return a metric of the catalogue."""
    (described,) = wrapper.describe()
    suffix = "_total" if described.type == "counter" else ""
    return Metric(described.name + suffix, described.type, described.documentation, tuple(wrapper._labelnames))


def alerts() -> Mapping[str, list[str]]:
    """Return the names of the alerts that use each metric."""
    rules = [rule for group in yaml.safe_load(_ALERTS.read_text())["groups"] for rule in group["rules"]]
    used: dict[str, list[str]] = {}
    for rule in rules:
        for name in named(rule["expr"]):
            used.setdefault(name, []).append(rule["alert"])
    return used


def named(expr: str) -> set[str]:
    """Return the metrics that an expression is about."""
    return {_of_sample(sample) for sample in _samples(expr)}


def unknown(expr: str) -> set[str]:
    """Return the samples and labels in an expression that no metric of the catalogue has."""
    metrics_by_name = {each.name: each for each in known()}
    found = {sample for sample in _samples(expr) if not _is_sample(sample, metrics_by_name.get(_of_sample(sample)))}
    labels = {label for name in named(expr) & metrics_by_name.keys() for label in metrics_by_name[name].labels}
    by = {label for group in re.findall(r"\bby \(([^)]*)\)", expr) for label in re.split(r",\s*", group)}
    selected = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expr))
    return found | ((by | selected) - labels - {"le"} if not found else set())


def _samples(expr: str) -> set[str]:
    return set(re.findall(r"\bpipeline_\w+", re.sub(r'"[^"]*"', "", expr)))


def _of_sample(sample: str) -> str:
    return sample.removesuffix("_bucket")


def _is_sample(sample: str, metric: Metric | None) -> bool:
    """Return True if a metric has samples of a name. A histogram has none of its own."""
    return metric is not None and (metric.kind == "histogram") == sample.endswith("_bucket")


def page() -> str:
    """Return `docs/metrics.md`."""
    labels = "".join(f"- `{name}`: {meaning}\n" for name, meaning in metrics.LABELS.items())
    used = alerts()
    sections = "".join(_section(each, used.get(each.name, [])) for each in known())
    return f"{_HEAD}\n## Labels\n\n{labels}\n## Every metric\n{sections}"


def _section(metric: Metric, fired: list[str]) -> str:
    facts = "".join(f"- {name}: {value}\n" for name, value in _facts(metric, fired))
    return f"\n### {metric.name}\n\n{metric.about}\n\n- Type: {metric.kind}\n{facts}\n```promql\n{metric.query}\n```\n"


def _facts(metric: Metric, fired: list[str]) -> Iterator[tuple[str, str]]:
    for name, values in (("Labels", metric.labels), ("Alerts", fired)):
        if values:
            yield name, ", ".join(f"`{each}`" for each in values)
