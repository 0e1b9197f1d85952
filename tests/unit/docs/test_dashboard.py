"""docs/dashboard.json: panels that show every metric, and nothing that there is not."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import metrics
from tests.support.promtool import promtool
from tools.docs import dashboard, metrics_page
from tools.docs.grafana import COLUMNS, FILTERS, Query

DASHBOARD: dict[str, Any] = json.loads((Path(__file__).parents[3] / "docs" / "dashboard.json").read_text())


def panels(found: Any = DASHBOARD["panels"]) -> Iterator[dict[str, Any]]:
    """Yield the panels of all rows, and not the rows."""
    for each in found:
        if each["type"] != "row":
            yield each
        yield from panels(each.get("panels", []))


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_every_metric_is_in_a_panel() -> None:
    """A metric that nobody looks at is found by its name alone, on the night when it matters."""
    shown = {name for expr in expressions() for name in metrics_page.named(expr)}
    assert shown == {each.name for each in metrics_page.known()}


def test_every_panel_names_metrics_and_labels_that_there_are() -> None:
    """A panel would be empty, which looks as if all were well."""
    assert {expr: wrong for expr in expressions() if (wrong := metrics_page.unknown(expr))} == {}
    for panel in panels():
        for target in panel["targets"]:
            labels = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
            by = re.search(r"by \(([^)]*)\)", target["expr"])
            assert set(labels) <= set(re.split(r",\s*", by.group(1)) if by else [])


def test_prometheus_understands_every_panel() -> None:
    """A panel would show an error in place of its lines."""
    rules = [{"record": f"panel:{n}", "expr": _without_variables(expr)} for n, expr in enumerate(expressions())]
    text = yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]})
    command = [promtool(), "check", "rules", "/dev/stdin"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def _without_variables(expr: str) -> str:
    return re.sub(r'"\$\w+"', '".*"', expr.replace("$__rate_interval", "5m").replace("$__range", "3h"))


def test_variables_filter_what_has_their_label() -> None:
    """Whoever picks a tenant would still see all of them, or nothing."""
    named = {each["name"] for each in DASHBOARD["templating"]["list"]}
    assert named == {"datasource", *FILTERS}
    known = {each.name: each for each in metrics_page.known()}
    for expr in expressions():
        (name,) = metrics_page.named(expr)
        used = set(re.findall(r'=~"\$(\w+)"', expr))
        assert used == set(FILTERS).intersection(known[name].labels)


def test_no_two_panels_share_a_number_or_a_place() -> None:
    """Grafana would show one of them, or push the other away."""
    numbers = [each["id"] for each in (*DASHBOARD["panels"], *panels())]
    assert len({*numbers}) == len([*panels()]) + sum(each["type"] == "row" for each in DASHBOARD["panels"])
    for group in _shown_together():
        cells = [cell for panel in group for cell in _cells(panel["gridPos"])]
        assert len({*cells}) == len(cells)
        assert all(x < COLUMNS for x, _ in cells)


def _shown_together() -> Iterator[list[dict[str, Any]]]:
    yield DASHBOARD["panels"]
    yield from (each["panels"] for each in DASHBOARD["panels"] if each["type"] == "row")


def _cells(grid: dict[str, int]) -> Iterator[tuple[int, int]]:
    return ((x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"]))


def test_every_panel_says_what_its_metric_means() -> None:
    """Whoever looks at it at night would have to search the docs for what to do."""
    about = {each.name: each.about for each in metrics_page.known()}
    for panel in panels():
        (name,) = {name for target in panel["targets"] for name in metrics_page.named(target["expr"])}
        assert about[name] in panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize(
    ("query", "expr", "unit"),
    [
        (Query(metrics.CONNECTIONS), "sum (pipeline_connections)", "short"),
        (
            Query(metrics.LAG_SECONDS, ("app",), gauge="max", where='state="held"'),
            'max by (app) (pipeline_lag_seconds{app=~"$app", state="held"})',
            "s",
        ),
        (
            Query(metrics.EXPIRED, ("provider",)),
            'sum by (provider) (rate(pipeline_expired_total{tenant=~"$tenant"}[$__rate_interval]))',
            "cps",
        ),
        (Query(metrics.OUTPUTS, is_total=True), "sum (increase(pipeline_outputs_total[$__range]))", "short"),
        (
            Query(metrics.WEBHOOK_SECONDS, ("provider",)),
            "histogram_quantile(0.99, sum by (le, provider) (rate(pipeline_webhook_seconds_bucket[$__rate_interval])))",
            "s",
        ),
        (Query(metrics.PARKED_BYTES), 'sum (pipeline_parked_bytes{app=~"$app"})', "bytes"),
        (Query(metrics.PARKING_USED, gauge="max"), 'max (pipeline_parking_used_ratio{app=~"$app"})', "percentunit"),
    ],
)
def test_a_query_fits_its_metric(query: Query, expr: str, unit: str) -> None:
    """A counter would be shown as a line that only rises, or seconds as thousands."""
    assert (query.expr, query.unit) == (expr, unit)


def test_the_limits_are_a_row() -> None:
    """The page would not answer why a number sends nothing."""
    limits = next(each for each in DASHBOARD["panels"] if each["title"] == dashboard.LIMITS.title)
    shown = {name for panel in panels(limits["panels"]) for name in metrics_page.named(str(panel["targets"]))}
    assert {"pipeline_waiting_records", "pipeline_allowance_used_ratio", "pipeline_limit_top_used_ratio"} <= shown
