"""The pages that are generated from the code: settings and metrics."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline import metrics
from pipeline.settings import Settings
from tools.docs import metrics_page, reference, settings_pages


@pytest.mark.parametrize("path", reference.PAGES)
def test_a_page_is_what_the_code_says(path: str) -> None:
    """A page would describe a setting or a metric that has changed. Correct it with `make reference`."""
    assert (reference.ROOT / path).read_text() == reference.PAGES[path]()


def test_every_setting_has_its_section() -> None:
    """A group that `Settings` does not inherit, or a field outside of a group, would be left out."""
    shown = re.findall(r"^### PIPELINE_(\w+)$", settings_pages.page(), re.M)
    assert sorted(name.lower() for name in shown) == sorted(Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "type_", "unit"),
    [
        ("ingress_port", "integer from 0 up to 65535", ""),
        ("ingress_deadline", "number above 0", "seconds"),
        ("trusted_proxies", "addresses and networks", ""),
        ("cache", "one of `memory`, `json`, `redis`", ""),
        ("mask_key", "secret text", ""),
        ("tenants", "path", ""),
    ],
)
def test_a_setting_says_its_type_and_unit(name: str, type_: str, unit: str) -> None:
    """A reader would set seconds as milliseconds, or a number below the bound."""
    setting = settings_pages.Setting(name, Settings.model_fields[name])
    assert (f"{setting.kind} {setting.bounds}".strip(), setting.unit) == (type_, unit)


def test_every_metric_is_shown_with_labels_that_are_explained() -> None:
    """A dashboard would group by a label that nobody can interpret."""
    known = {each.name: each for each in metrics_page.known()}
    exposed = set(re.findall(r"^# HELP (pipeline_\w+)", metrics.exposition().decode(), re.M))
    assert set(known) == {name for name in exposed if not name.endswith("_created")}
    assert {label for each in known.values() for label in each.labels} == set(metrics.LABELS)


def test_a_query_asks_for_what_its_metric_exposes() -> None:
    """A histogram has no sample of its own name, so its query would find nothing."""
    queries = {each.name: each.query for each in metrics_page.known()}
    assert "pipeline_webhook_seconds_bucket[5m]" in queries["pipeline_webhook_seconds"]
    assert queries["pipeline_connections"] == "max (pipeline_connections)"
    assert queries["pipeline_duplicates_total"] == "sum by (provider) (rate(pipeline_duplicates_total[5m]))"


def test_alerts_are_named_beside_their_metrics() -> None:
    """Whoever reads about a metric would write an alert that there is already."""
    assert metrics_page.alerts()["pipeline_breaker_open"] == ["PipelineStopped"]


def test_the_root_is_the_checkout() -> None:
    """The generated pages would be written elsewhere."""
    assert Path(reference.ROOT / "pyproject.toml").is_file()
