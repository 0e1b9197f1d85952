"""docs/alerts.yaml: rules that fire on metrics which there are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.promtool import promtool
from tools.docs import metrics_page

HERE = Path(__file__).parent
RULES = HERE.parents[2] / "docs" / "alerts.yaml"
CASES = HERE / "alerts.test.yaml"
"""What the rules of limits say to series that are made up, in the form of `promtool test rules`."""


def rules(group: str = "") -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for each in groups if group in ("", each["name"]) for rule in each["rules"]]


def test_every_rule_is_about_a_metric_that_there_is() -> None:
    """An alert on a renamed metric never fires, and nobody notices."""
    assert {"PipelineDeliveryGap", "PipelineWebhooksRefused"} <= {rule["alert"] for rule in rules()}
    for rule in rules():
        assert metrics_page.named(rule["expr"])
        assert metrics_page.unknown(rule["expr"]) == set()


def test_an_expression_with_a_name_or_a_label_that_there_is_not_is_found() -> None:
    """The test above could not fail, and neither could that of the dashboard."""
    assert metrics_page.unknown("sum by (app) (pipeline_lag_records)") == set()
    assert metrics_page.unknown("sum (rate(pipeline_webhook_seconds_bucket[5m]))") == set()
    assert metrics_page.unknown("sum (pipeline_webhook_seconds)") == {"pipeline_webhook_seconds"}
    assert metrics_page.unknown("sum (pipeline_lag_record)") == {"pipeline_lag_record"}
    assert metrics_page.unknown("sum by (apps) (pipeline_lag_records)") == {"apps"}
    assert metrics_page.unknown('pipeline_lag_records{states="held"}') == {"states"}


def test_every_text_of_an_alert_names_labels_that_its_expression_keeps() -> None:
    """The one who is woken would read `: accounts wait` without a name."""
    for rule in rules():
        kept = {label for by in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in re.split(r",\s*", by)}
        shown = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        assert shown <= kept, rule["alert"]


def test_prometheus_reads_the_rules() -> None:
    """Prometheus would refuse the file, and no alert would ever fire."""
    done = subprocess.run([promtool(), "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_of_limits_fire_when_they_should_and_rest_when_not() -> None:
    """A campaign that sends half of what it may would wake nobody, or every campaign would."""
    done = subprocess.run([promtool(), "test", "rules", CASES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_of_limits_has_a_case_in_which_it_fires_and_one_in_which_it_rests() -> None:
    """A rule that never fires, or always does, would pass."""
    cases = [case for each in yaml.safe_load(CASES.read_text())["tests"] for case in each["alert_rule_test"]]
    fire = {case["alertname"] for case in cases if case["exp_alerts"]}
    rest = {case["alertname"] for case in cases if not case["exp_alerts"]}
    assert fire == rest == {rule["alert"] for rule in rules("pipeline-limits")}


def test_a_missing_promtool_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the report would not know why the rules were not tried."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(pytest.skip.Exception, match="promtool is missing"):
        promtool()
